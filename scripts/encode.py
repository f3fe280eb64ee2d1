from fairweight.encoding import encode
from fairweight.job import job

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    encode(
        parent=snakemake.input.parent,
        parent_about=snakemake.input.parent_about,
        table=snakemake.input.table,
        split=snakemake.input.split,
        augmented=snakemake.input.augmented,
        coded=snakemake.output.coded,
        model=snakemake.output.model,
        about=snakemake.output.about,
        curve=snakemake.output.curve,
        report=snakemake.output.report,
        recipe=snakemake.params.recipe,
        finetune=snakemake.params.finetune,
        seed=int(snakemake.wildcards.seed),
        variant=snakemake.wildcards.variant,
    )
