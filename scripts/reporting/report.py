from pathlib import Path

from fairweight.core.step import step
from fairweight.reporting.report.render import assemble

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    assemble(
        list(snakemake.input.notebooks),
        results=str(Path(snakemake.output.html).parents[1]),
        page=snakemake.output.html,
    )
