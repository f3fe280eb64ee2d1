from fairweight.core.step import step
from fairweight.data.augment import augment

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
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
