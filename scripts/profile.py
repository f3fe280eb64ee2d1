from fairweight.job import job
from fairweight.profiling import profile

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
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
