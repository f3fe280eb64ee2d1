from fairweight.core.step import step
from fairweight.data.split import split

with step(snakemake.log[0], snakemake.output.usage, snakemake.threads):
    split(
        snakemake.input.table,
        snakemake.output.split,
        name=snakemake.wildcards.dataset,
        recipe=snakemake.params.recipe,
        seed=int(snakemake.wildcards.seed),
    )
