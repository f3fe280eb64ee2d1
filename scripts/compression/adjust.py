from fairweight.compression.adjust import adjust
from fairweight.core.step import step

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    adjust(
        parent=snakemake.input.parent,
        table=snakemake.input.table,
        split=snakemake.input.split,
        destination=snakemake.output.onnx,
        report=snakemake.output.report,
        recipe=snakemake.params.recipe,
        variant=snakemake.wildcards.variant,
        seed=int(snakemake.wildcards.seed),
    )
