from pathlib import Path

from fairweight.core.step import step
from fairweight.energy.carbon_intensity import with_hours
from fairweight.energy.later_steps import later_steps

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    later_steps(
        results=str(Path(snakemake.output.usage).parents[1]),
        rules=snakemake.input.rules,
        recipe=with_hours(snakemake.params.recipe, snakemake.input.hours),
        destination=snakemake.output.later,
    )
