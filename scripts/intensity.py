from fairweight.gathering import write_intensity
from fairweight.job import job

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    write_intensity(snakemake.output.hours, recipe=snakemake.params.recipe)
