from fairweight.core.step import step
from fairweight.inference.profile import profile

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    profile(
        models=list(snakemake.input.models),
        about=snakemake.params.about,
        table=snakemake.input.table,
        destination=snakemake.output.profile,
        repetitions=snakemake.output.repetitions,
        engine=snakemake.wildcards.engine,
        batch_sizes=snakemake.params.recipe["batch_sizes"],
        rounds=snakemake.params.recipe["rounds"],
        seconds=snakemake.params.recipe["seconds"],
        threads=snakemake.params.recipe["threads"],
    )
