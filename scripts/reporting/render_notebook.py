from pathlib import Path

from fairweight.core.step import step
from fairweight.reporting.report.render_notebook import execute

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    execute(
        snakemake.params.notebook,
        results=str(Path(snakemake.output.notebook).parents[2]),
        executed=snakemake.output.notebook,
    )
