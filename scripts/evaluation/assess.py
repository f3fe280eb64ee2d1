from fairweight.core.step import step
from fairweight.evaluation.assess import assess

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    assess(
        predictions=snakemake.input.predictions,
        baseline=snakemake.input.baseline or None,
        table=snakemake.input.table,
        destination=snakemake.output.assessment,
        families=snakemake.params.families,
        smallest_group=snakemake.params.smallest_group,
        intersections=snakemake.params.intersections,
    )
