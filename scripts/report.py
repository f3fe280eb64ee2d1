from pathlib import Path

from fairweight.job import job
from fairweight.report.render import assemble

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    assemble(
        list(snakemake.input.notebooks),
        results=str(Path(snakemake.output.html).parents[1]),
        page=snakemake.output.html,
    )
