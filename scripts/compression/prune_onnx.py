from fairweight.compression.prune_onnx import prune_onnx
from fairweight.core.step import step

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    prune_onnx(
        parent=snakemake.input.parent,
        destination=snakemake.output.onnx,
        report=snakemake.output.report,
        recipe=snakemake.params.recipe,
        variant=snakemake.wildcards.variant,
    )
