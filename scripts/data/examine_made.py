from fairweight.core.step import step
from fairweight.data.examine_made import examine_made

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    examine_made(
        augmented=list(snakemake.input.augmented),
        about=snakemake.params.about,
        tables=dict(zip(snakemake.params.datasets, snakemake.input.tables, strict=True)),
        splits=dict(zip(snakemake.params.datasets, snakemake.input.splits, strict=True)),
        out=snakemake.output.made,
    )
