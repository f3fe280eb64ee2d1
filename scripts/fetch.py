from fairweight.fetching import fetch
from fairweight.job import job

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    fetch(
        snakemake.output.raw,
        sources=snakemake.params.recipe["sources"],
        sha256=snakemake.params.recipe["sha256"],
        cache=snakemake.params.cache,
        name=f"datasets: {snakemake.wildcards.dataset}: files: {snakemake.wildcards.file}",
    )
