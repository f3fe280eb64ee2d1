from fairweight.causal.weights import take
from fairweight.job import job

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    take(
        # a file is told by its checksum: another mirror or cache folder is no reason to take it again
        recipe=snakemake.config["models"][snakemake.wildcards.model],
        model=snakemake.output.model,
        about=snakemake.output.about,
        cache=snakemake.config["cache"],
        name=snakemake.wildcards.model,
    )
