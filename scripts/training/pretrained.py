from fairweight.core.step import step
from fairweight.training.pretrained import take

with step(snakemake.log[0], snakemake.output.usage, snakemake.threads):
    take(
        # a file is told by its checksum: another mirror or cache folder is no reason to take it again
        recipe=snakemake.config["models"][snakemake.wildcards.model],
        model=snakemake.output.model,
        about=snakemake.output.about,
        cache=snakemake.config["cache"],
        name=snakemake.wildcards.model,
        task=snakemake.params.task,
    )
