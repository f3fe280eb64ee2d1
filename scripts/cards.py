from pathlib import Path

from fairweight.hub.writing import write_cards
from fairweight.job import job

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    write_cards(
        str(Path(snakemake.input.provenance).parents[1]),
        snakemake.output.cards,
        snakemake.params.lineages,
    )
