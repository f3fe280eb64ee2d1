from fairweight.core.step import step
from fairweight.training.pretrained import take

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    take(
        # not `params`: a checksum identifies the file, so another mirror or cache folder is no reason to rerun
        recipe=snakemake.config["models"][snakemake.wildcards.model],
        model=snakemake.output.model,
        about=snakemake.output.about,
        cache=snakemake.config["cache"],
        name=snakemake.wildcards.model,
        task=snakemake.params.task,
    )
