from pathlib import Path

from fairweight.crate.packing import write_archive
from fairweight.job import job

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    write_archive(
        snakemake.output.archive,
        results=str(Path(snakemake.output.archive).parents[1]),
        root=snakemake.params.root,
    )
