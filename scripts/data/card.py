from fairweight.core.step import step
from fairweight.data.card import write_card

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    write_card(
        snakemake.input.contents,
        snakemake.input.table,
        snakemake.output.card,
        name=snakemake.wildcards.dataset,
        recipe=snakemake.params.recipe,
    )
