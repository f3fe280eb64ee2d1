from pathlib import Path

from fairweight.core.step import step
from fairweight.reporting.report.render import execute

with step(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    execute(
        snakemake.params.notebook,
        results=str(Path(snakemake.output.notebook).parents[2]),
        executed=snakemake.output.notebook,
    )
