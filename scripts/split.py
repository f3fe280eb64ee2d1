from fairweight.job import job
from fairweight.splitting import split

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    split(
        snakemake.input.table,
        snakemake.output.split,
        name=snakemake.wildcards.dataset,
        recipe=snakemake.params.recipe,
        seed=int(snakemake.wildcards.seed),
    )
