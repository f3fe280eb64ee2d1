from fairweight.assessment import assess
from fairweight.job import job

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    assess(
        predictions=snakemake.input.predictions,
        baseline=snakemake.input.baseline or None,
        table=snakemake.input.table,
        destination=snakemake.output.assessment,
        families=snakemake.params.families,
        smallest_group=snakemake.params.smallest_group,
        intersections=snakemake.params.intersections,
    )
