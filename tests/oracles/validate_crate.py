"""Validate an archive against the profile Workflow Run Crate with rocrate-validator, without network access.

It runs in an environment of its own (`make crate-validator`), because rocrate-validator needs older versions of shared
dependencies. The only document that the validator fetches, the context of RO-Crate 1.1, is read from the package
rocrate.

    .venv-crate/bin/python tests/oracles/validate_crate.py ARCHIVE.zip
"""

import importlib.util
import sys
from pathlib import Path

import requests
from rocrate_validator import models, services
from rocrate_validator.utils.http import HttpRequester

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
# recommendations that cannot be met: only those who ran the study know agent, author and publisher; the workflow is a
# file of the crate, so that its identifier is relative and it has no other address
ACCEPTED = {
    "process-run-crate-0.5_8.6",
    "ro-crate-1.1_22.2",
    "ro-crate-1.1_22.3",
    "process-run-crate-0.5_3.2",
    "process-run-crate-0.5_5.1",
}


def shipped(url, **_):
    """Answer with the packaged context instead of the public server; nothing else is available."""
    response = requests.Response()
    response.url, response.status_code = url, 404
    if url == CONTEXT:
        package = Path(importlib.util.find_spec("rocrate").origin).parent
        response._content = (package / "data" / "ro-crate.jsonld").read_bytes()
        response.status_code, response.headers["Content-Type"] = 200, "application/ld+json"
    return response


HttpRequester.get = lambda _, url, **options: shipped(url, **options)
settings = services.ValidationSettings(
    rocrate_uri=models.URI(sys.argv[1]),
    profile_identifier="workflow-run-crate-0.5",
    requirement_severity=models.Severity.RECOMMENDED,
)
result = services.validate(settings)
issues = [i for i in result.get_issues() if i.check.identifier not in ACCEPTED]
for issue in issues:
    print(
        f"{issue.severity.name} {issue.check.identifier} [{issue.check.requirement.profile.identifier}]: "
        f"{issue.message}"
    )
print(f"{Path(sys.argv[1]).name}: {len(issues)} issues at level RECOMMENDED, {settings.profile_identifier}")
sys.exit(bool(issues))
