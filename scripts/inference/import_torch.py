from fairweight.core.step import step
from fairweight.inference.import_torch import import_torch

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    import_torch(
        recipe=snakemake.params.recipe,
        table=snakemake.input.table,
        split=snakemake.input.split,
        model=snakemake.output.model,
        about=snakemake.output.about,
        report=snakemake.output.report,
        name=snakemake.wildcards.model,
        seed=int(snakemake.wildcards.seed),
    )
