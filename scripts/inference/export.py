from fairweight.core.step import step
from fairweight.inference.export import export

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    export(
        model=snakemake.input.model,
        about=snakemake.input.about,
        table=snakemake.input.table,
        split=snakemake.input.split,
        destination=snakemake.output.onnx,
        report=snakemake.output.report,
    )
