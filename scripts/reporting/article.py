from pathlib import Path

from fairweight.core.step import step
from fairweight.reporting.paper.article import compile_article

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    compile_article(
        snakemake.input.article,
        made=str(Path(snakemake.output.pdf).parent),
        pdf=snakemake.output.pdf,
    )
