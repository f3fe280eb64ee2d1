from fairweight.discovering import discover_slices
from fairweight.job import job

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    discover_slices(
        predictions=list(snakemake.input.predictions),
        about=snakemake.params.about,
        table=snakemake.input.table,
        baselines=snakemake.params.baselines,
        smallest_group=snakemake.params.smallest_group,
        destination=snakemake.output.slices,
    )
