from fairweight.core.step import step
from fairweight.inference.predict_pool import predict_pool

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    predict_pool(
        model=snakemake.input.onnx,
        table=snakemake.input.table,
        split=snakemake.input.split,
        destination=snakemake.output.pool,
        name=snakemake.wildcards.dataset,
        engine=snakemake.wildcards.engine,
        batch_size=snakemake.params.batch_size,
        most_rows=snakemake.params.most_rows,
        threads=snakemake.threads,
    )
