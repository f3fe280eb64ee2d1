from fairweight.core.step import step
from fairweight.data.read import read

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    read(
        dict(zip(snakemake.params.files, snakemake.input, strict=True)),
        snakemake.output.table,
        snakemake.output.contents,
        name=snakemake.wildcards.dataset,
        recipe=snakemake.params.recipe,
        given=snakemake.params.given,
        predicted=snakemake.params.predicted,
        threads=snakemake.threads,
        partitions=snakemake.config["partitions"],
    )
