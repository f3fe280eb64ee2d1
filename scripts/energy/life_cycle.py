from pathlib import Path

from fairweight.core.step import step
from fairweight.energy.carbon_intensity import with_hours
from fairweight.energy.life_cycle import life_cycle

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    life_cycle(
        results=str(Path(snakemake.output.usage).parents[1]),
        summary={name: snakemake.input[name] for name in ("steps", "profiles", "ratios", "measures", "changes")},
        recipe=with_hours(snakemake.params.recipe, snakemake.input.hours),
        factors=snakemake.params.factors,
        baselines=snakemake.params.baselines,
        lineages=snakemake.params.lineages,
        destination={name: path for name, path in snakemake.output.items() if name != "usage"},
    )
