from pathlib import Path

from fairweight.job import job
from fairweight.paper.writing import write_paper

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    write_paper(
        str(Path(snakemake.input.provenance).parents[1]),
        str(Path(snakemake.output.numbers).parent),
    )
