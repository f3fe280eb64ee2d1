from pathlib import Path

from fairweight.job import job
from fairweight.paper.compiling import compile_article

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    compile_article(
        snakemake.input.article,
        made=str(Path(snakemake.output.pdf).parent),
        pdf=snakemake.output.pdf,
    )
