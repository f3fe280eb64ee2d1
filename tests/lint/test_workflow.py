"""The workflow as Snakemake's linter and a reader of the repository see it."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch

import nbformat

from fairweight.core.components import WORKFLOW as ROOT

# the environment of every rule is requirements.lock, installed once; Snakemake would like one stated at each rule
ACCEPTED = {"Specify a conda environment or container for each rule."}


def test_snakemake_lint_finds_nothing_but_the_environment():
    command = [sys.executable, "-m", "snakemake", "--lint", "--snakefile", str(ROOT / "Snakefile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    titles = re.findall(r"^\s+\* (.+):$", done.stdout + done.stderr, flags=re.M)
    assert titles, "every rule lacks an environment of its own: the linter has not run"
    assert set(titles) <= ACCEPTED


def test_the_snakefile_is_a_table_of_contents():
    assert len((ROOT / "Snakefile").read_text().splitlines()) < 60
    assert len((ROOT / "rules/common.smk").read_text().splitlines()) < 200


def test_notebooks_are_committed_without_outputs():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs") and cell.get("execution_count") is None
        assert "parameters" in path.read_text()


def test_no_two_test_files_have_the_same_name():
    """Their folders are no packages, so that pytest imports both under this name and ends with an error."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


def pins(file):
    """Name -> versions of the requirements in a lock file; every one is exact, with hashes, and without an address."""
    text = (ROOT / file).read_text()
    lines = [line for line in text.replace(" \\\n", " ").splitlines() if not line.startswith("#")]
    pin = re.compile(r"([\w.-]+)==([\w.+!-]+)( ; [^#]+?)?( +--hash=sha256:[0-9a-f]{64})+")
    matches = [pin.fullmatch(line) for line in lines]
    assert all(matches), [line[:80] for line, match in zip(lines, matches, strict=True) if not match]
    assert "://" not in text
    versions = {}
    for match in matches:
        versions.setdefault(match[1].lower().replace("_", "-"), set()).add(match[2])
    return versions


def test_every_dependency_is_locked_with_its_hashes():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, own = settings["project"], settings["tool"]["uv"]["sources"]  # own: distributions of this repository
    extras, locked = project["optional-dependencies"], pins("requirements.lock")

    def named(requirements):
        return {re.split(r"[\[><=]", name)[0].lower().replace("_", "-") for name in requirements}

    assert named([*project["dependencies"], *extras["dev"], *extras["slurm"]]) <= set(locked) | set(own)
    assert all((ROOT / source["path"] / "pyproject.toml").is_file() for source in own.values())
    for extra in ("text", "llm", "openvino", "convert", "excel", "docs"):
        more = pins(f"requirements-{extra}.lock")
        assert named(extras[extra]) <= set(locked) | set(more)
        # colorama: requirements.lock has it for Windows only, and mkdocs-material needs it everywhere
        assert set(more) & set(locked) == ({"colorama"} if extra == "docs" else set())
    apart = (
        "requirements-cuda.lock",
        "requirements-convert-keras.lock",
        *(f"tests/oracles/{n}.lock" for n in ("crate", "s3")),
    )
    assert all(pins(file) for file in apart)


def test_what_is_installed_is_what_is_locked():
    """The environment that runs these tests holds the versions of the lock file, and no package lacks another."""
    wrong = [
        (name, versions)
        for name, versions in pins("requirements.lock").items()
        if (have := installed(name)) is not None and have not in versions
    ]
    assert wrong == []


def installed(name):
    try:
        return importlib.metadata.version(name).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def test_the_proofs_of_the_page_on_hostile_inputs_exist():
    text = (ROOT / "docs" / "hostile-inputs.md").read_text()
    proofs = re.findall(r"`([\w/]+\.py)::(\w+)` \|$", text, re.MULTILINE)
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| input |")]
    assert len(proofs) == len(rows) > 50
    assert [proof for proof in proofs if f"def {proof[1]}(" not in (ROOT / "tests" / proof[0]).read_text()] == []


def test_links_and_paths_of_the_documentation_exist():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), (page, target)


def test_images_and_continuous_integration_use_what_exists():
    """The image holds every file that a wheel needs, and every `make` target that is called is there."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert [name for name in wheel["force-include"] if not any(fnmatch(name, pattern) for pattern in copied)] == []
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    files = [*ROOT.glob(".github/workflows/*.yml"), ROOT / ".devcontainer" / "devcontainer.json", ROOT / "Dockerfile"]
    called = [target for file in files for target in re.findall(r'(?:RUN |run: |"|&& )make ([\w-]+)', file.read_text())]
    assert len(called) >= 3 and set(called) <= targets
