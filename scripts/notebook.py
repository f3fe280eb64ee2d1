from pathlib import Path

from fairweight.job import job
from fairweight.report.render import execute

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    execute(
        snakemake.params.notebook,
        results=str(Path(snakemake.output.notebook).parents[2]),
        executed=snakemake.output.notebook,
    )
