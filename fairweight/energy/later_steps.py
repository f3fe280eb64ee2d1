"""What a study used after its table by rule was made: the steps behind it, among them the sections of the report."""

from dataclasses import asdict
from pathlib import Path

from fairweight.core.artifacts import read_frame, write_json
from fairweight.core.recipes import EnergyRecipe
from fairweight.energy.amounts import of_study
from fairweight.energy.ledger import by_rule, read_ledger


def later_steps(*, results: str, rules: str | Path, recipe: EnergyRecipe, destination: str | Path) -> None:
    """Write what the ledger holds now beyond the table by rule, so that a report can name what its total leaves out.

    Args:
        results: the study's folder.
        rules: summary/rules.parquet, one row per rule.
        recipe: `energy` of the study file.
        destination: JSON file to write: CPU-seconds, energy in J by bound and emissions in gCO2e, and `rules`, the
            rules of the steps.
    """
    before = read_frame(rules)
    now = by_rule(read_ledger(results), recipe)
    earlier, later = asdict(of_study(before)), asdict(of_study(now))
    steps = now[now["kind"] == "step"].set_index("rule")["attempts"]
    added = steps - before.set_index("rule")["attempts"].reindex(steps.index, fill_value=0)
    more = {name: max(0.0, later[name] - earlier[name]) for name in later}
    write_json(destination, more | {"rules": sorted(added.index[added > 0])})
