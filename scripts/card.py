from fairweight.cards import write_card
from fairweight.job import job

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    write_card(
        snakemake.input.contents,
        snakemake.output.card,
        name=snakemake.wildcards.dataset,
        recipe=snakemake.params.recipe,
    )
