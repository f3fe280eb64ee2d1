"""A study file from elsewhere says what it executes before it runs."""

import pytest
from studies import tiny

from fairweight.cli.foreign_code import announce
from fairweight.study.schema import resolve


@pytest.fixture
def run(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "mine.py").write_text("def widen(block, rng):\n    raise AssertionError('imported')\n")
    return folder


def test_components_and_the_program_of_a_meter_are_listed_with_their_files(run, tmp_path, capsys):
    config = resolve(
        tiny(augmentations={"wide": "mine:widen"}, energy={"meter_command": ["watts", "--of", "the rack"]})
    )
    announce(tmp_path / "study.yaml", config, known=(run,))
    assert capsys.readouterr().out.splitlines() == [
        f"fairweight: {tmp_path / 'study.yaml'} is not in this folder, and runs code that is not fairweight's:",
        f"  augmentations: mine:widen ({run / 'mine.py'})",
        "  energy: meter_command: watts --of 'the rack'",
    ]
    announce(run / "studies" / "study.yaml", config, known=(run,))
    assert capsys.readouterr().out == ""


def test_nothing_is_printed_where_nothing_else_is_executed(run, tmp_path, capsys):
    announce(tmp_path / "study.yaml", resolve(tiny()), known=(run,))
    assert capsys.readouterr().out == ""
