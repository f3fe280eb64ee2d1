from pathlib import Path

from fairweight.core.step import step
from fairweight.reporting.hub.cards import write_cards

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    write_cards(
        str(Path(snakemake.input.provenance).parents[1]),
        snakemake.output.cards,
        snakemake.params.lineages,
    )
