from fairweight.core.step import step
from fairweight.energy.carbon_intensity import with_hours
from fairweight.energy.what_if import write_tables

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    write_tables(
        rules=snakemake.input.rules,
        steps=snakemake.input.steps,
        profiles=snakemake.input.profiles,
        recipe=with_hours(snakemake.params.recipe, snakemake.input.hours),
        what_if=snakemake.output.what_if,
        sci=snakemake.output.sci,
    )
