from fairweight.core.step import step
from fairweight.inference.import_onnx import import_onnx

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    import_onnx(
        recipe=snakemake.params.recipe,
        table=snakemake.input.table,
        split=snakemake.input.split,
        destination=snakemake.output.onnx,
        report=snakemake.output.report,
        name=snakemake.wildcards.model,
    )
