from fairweight.core.step import step
from fairweight.inference.predict_given import predict_given

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    predict_given(
        table=snakemake.input.table,
        split=snakemake.input.split,
        destination=snakemake.output.predictions,
        column=snakemake.params.recipe["column"],
        above=snakemake.params.recipe["above"],
    )
