from pathlib import Path

from fairweight.job import job
from fairweight.report.render import render

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    render(
        snakemake.params.notebook,
        results=str(Path(snakemake.output.html).parents[1]),
        executed=snakemake.output.notebook,
        page=snakemake.output.html,
    )
