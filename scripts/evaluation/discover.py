from fairweight.core.step import step
from fairweight.evaluation.discover import discover_slices

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    discover_slices(
        predictions=list(snakemake.input.predictions),
        about=snakemake.params.about,
        table=snakemake.input.table,
        baselines=snakemake.params.baselines,
        group_columns=snakemake.params.group_columns,
        smallest_group=snakemake.params.smallest_group,
        destination=snakemake.output.slices,
    )
