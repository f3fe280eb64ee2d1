"""The import table of docs/architecture.md holds for the real imports, and the page is current."""

import sys

from fairweight.core.components import WORKFLOW as ROOT

sys.path.insert(0, str(ROOT / "docs"))
import architecture


def test_wings_import_only_what_the_table_allows():
    broken = [
        f"{path.relative_to(ROOT)} imports {target.relative_to(ROOT)}"
        for path in architecture.modules()
        for target in architecture.imports(path)
        if (wing := architecture.wing_of(path)) in architecture.MAY_IMPORT
        and architecture.wing_of(target) not in (wing, *architecture.MAY_IMPORT[wing])
    ]
    assert not broken


def test_every_module_is_in_a_wing():
    wings = {architecture.wing_of(path) for path in architecture.modules()}
    assert wings - {"api"} == set(architecture.MAY_IMPORT)


def test_rules_scripts_and_unit_tests_have_the_wings_too():
    wings = set(architecture.MAY_IMPORT)
    shared = {"common", "collected", "inputs", "signatures", "versions"}  # by the rules of all wings
    assert {p.stem for p in (ROOT / "rules").glob("*.smk")} - shared <= wings
    assert {p.name for p in (ROOT / "scripts").iterdir() if p.is_dir() and p.name != "__pycache__"} <= wings
    units = {p.name for p in (ROOT / "tests/unit").iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert units - {"plugins", "benchmarks"} == wings


def test_no_modules_import_one_another():
    assert architecture.cycles() == []


def test_the_page_is_current():
    assert (ROOT / "docs/architecture.md").read_text() == architecture.page(), "run 'make docs'"
