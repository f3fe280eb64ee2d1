from fairweight.core.step import step
from fairweight.energy.gather_intensity import write_intensity

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    write_intensity(snakemake.output.hours, recipe=snakemake.params.recipe)
