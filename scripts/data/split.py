from fairweight.core.step import step
from fairweight.data.split import split

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    split(
        snakemake.input.table,
        snakemake.output.split,
        name=snakemake.wildcards.dataset,
        recipe=snakemake.params.recipe,
        seed=int(snakemake.wildcards.seed),
    )
