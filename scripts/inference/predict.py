from fairweight.core.step import step
from fairweight.inference.predict import predict

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    predict(
        model=snakemake.input.onnx,
        table=snakemake.input.table,
        split=snakemake.input.split,
        destination=snakemake.output.predictions,
        checks=snakemake.output.checks,
        engine=snakemake.wildcards.engine,
        batch_size=snakemake.params.batch_size,
        counterfactuals=snakemake.params.counterfactuals,
        threads=snakemake.threads,
    )
