from pathlib import Path

from fairweight.core.step import step
from fairweight.reporting.archive.packing import write_archive

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    write_archive(snakemake.output.archive, results=str(Path(snakemake.output.archive).parents[1]))
