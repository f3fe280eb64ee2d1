from fairweight.export import export
from fairweight.job import job

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    export(
        model=snakemake.input.model,
        about=snakemake.input.about,
        table=snakemake.input.table,
        split=snakemake.input.split,
        destination=snakemake.output.onnx,
        report=snakemake.output.report,
    )
