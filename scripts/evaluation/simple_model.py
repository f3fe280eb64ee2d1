from fairweight.core.step import step
from fairweight.evaluation.simple_model import simple_model

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    simple_model(
        table=snakemake.input.table,
        split=snakemake.input.split,
        destination=snakemake.output.predictions,
    )
