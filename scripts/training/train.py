from fairweight.core.step import step
from fairweight.training.train import train

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    train(
        table=snakemake.input.table,
        split=snakemake.input.split,
        augmented=snakemake.input.augmented,
        model=snakemake.output.model,
        about=snakemake.output.about,
        curve=snakemake.output.curve,
        architecture=snakemake.params.architecture,
        recipe=snakemake.params.recipe,
        seed=int(snakemake.wildcards.seed),
        replicate=snakemake.params.replicate,
        parameters=snakemake.params.parameters,
        task=snakemake.params.task,
        cache=snakemake.config["cache"],
        threads=snakemake.threads,
        partitions=snakemake.config["partitions"],
    )
