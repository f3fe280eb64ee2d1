from fairweight.augmenting import augment
from fairweight.job import job

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    augment(
        snakemake.input.table,
        snakemake.input.split,
        snakemake.output.augmented,
        name=snakemake.wildcards.augmentation,
        recipe=snakemake.params.recipe,
        seed=int(snakemake.wildcards.seed),
        threads=snakemake.threads,
        partitions=snakemake.config["partitions"],
    )
