from fairweight.core.step import step
from fairweight.inference.explain import explain

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    explain(
        model=snakemake.input.onnx,
        table=snakemake.input.table,
        split=snakemake.input.split,
        destination=snakemake.output.explanations,
        name=snakemake.wildcards.dataset,
        engine=snakemake.wildcards.engine,
        batch_size=snakemake.params.batch_size,
        recipe=snakemake.params.recipe,
        threads=snakemake.threads,
    )
