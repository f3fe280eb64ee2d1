from fairweight.compression.quantize import quantize
from fairweight.core.step import step

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    quantize(
        parent=snakemake.input.parent,
        table=snakemake.input.table,
        split=snakemake.input.split,
        destination=snakemake.output.onnx,
        report=snakemake.output.report,
        recipe=snakemake.params.recipe,
        seed=int(snakemake.wildcards.seed),
        variant=snakemake.wildcards.variant,
        weights={k: snakemake.input.get(k) for k in ("model", "about", "augmented")},
        finetune=snakemake.params.finetune,
    )
