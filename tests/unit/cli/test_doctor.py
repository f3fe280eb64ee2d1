"""`fairweight doctor`, `--version` and `completion`."""

import importlib.metadata
import subprocess

import pytest

from fairweight.cli import doctor as module
from fairweight.cli.main import main
from fairweight.core import components


@pytest.fixture
def requirements(monkeypatch):
    """Adds requirements to those of the distribution."""
    known = importlib.metadata.requires

    def add(*lines):
        monkeypatch.setattr(importlib.metadata, "requires", lambda name: [*(known(name) or []), *lines])

    return add


def entry(name):
    return next(entry for entry in module.examine() if entry.name == name)


def test_it_lists_every_engine_and_every_extra_of_the_distribution(capsys):
    main(["doctor"])
    output = capsys.readouterr().out
    extras = set(importlib.metadata.metadata(module.DISTRIBUTION).get_all("Provides-Extra")) - {"dev"}
    assert extras == set(module.INSTALLED_IN)
    expected = [f"extra {name}" for name in extras] + [f"engine {name}" for name in components.names("engines")]
    assert all(name in output for name in expected)
    assert output.endswith("Studies can run.\n") and max(map(len, output.splitlines())) <= module.WIDTH


def test_a_missing_or_old_package_fails_with_its_remedy(requirements, capsys):
    requirements("no-such-package>=1", "numpy>=999", 'other-package; extra == "text"')
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    assert ended.value.code == 1
    assert capsys.readouterr().out.endswith("Missing: Required packages.\n")
    packages, text = entry("Required packages"), entry("extra text")
    assert packages.detail == "no-such-package, numpy>=999" and packages.remedy == "make setup"
    assert (text.state, text.remedy) == ("absent", "make setup-text") and "other-package" in text.detail


def test_a_program_that_fails_is_no_program_that_is_missing(tmp_path, monkeypatch):
    (tmp_path / "npm").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert str(tmp_path / "npm") in entry("npm").detail and entry("npm").state == "absent"
    assert entry("git").remedy == "apt-get install git"


def test_a_cache_that_cannot_be_written_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRWEIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module.os, "access", lambda *_: False)  # root may write everywhere
    assert entry("cache of downloads").state == "missing" and "FAIRWEIGHT_CACHE" in entry("cache of downloads").remedy


def test_the_version_is_that_of_the_distribution(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"fairweight {importlib.metadata.version('fairweight')}\n"


def test_bash_completes_commands(capsys, tmp_path):
    main(["completion", "bash"])
    script = tmp_path / "completion.sh"
    script.write_text(capsys.readouterr().out)
    ask = f"source {script}; COMP_WORDS=(fairweight do); COMP_CWORD=1; _shtab_fairweight; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["doctor"]


def test_a_system_that_is_not_tested_is_said_to_be(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr(module.platform, "system", lambda: "Darwin")
    assert "not tested" in entry("Darwin").detail and "--executor local" in entry("Darwin").remedy
