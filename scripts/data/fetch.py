from fairweight.core.step import step
from fairweight.data.fetch import fetch

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    fetch(
        snakemake.output.raw,
        # a checksum identifies a file: another mirror or cache folder is no reason to fetch it again
        sources=snakemake.config["datasets"][snakemake.wildcards.dataset]["files"][snakemake.wildcards.file]["sources"],
        sha256=snakemake.params.sha256,
        cache=snakemake.config["cache"],
        name=f"datasets: {snakemake.wildcards.dataset}: files: {snakemake.wildcards.file}",
    )
