from pathlib import Path

from fairweight.core.step import step
from fairweight.reporting.paper.writing import write_paper

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    write_paper(
        str(Path(snakemake.input.provenance).parents[1]),
        str(Path(snakemake.output.numbers).parent),
    )
