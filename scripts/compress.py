from fairweight.compressing import operation
from fairweight.job import job

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    files = {**dict(snakemake.input.items()), **dict(snakemake.output.items())}
    del files["cost"]
    operation(snakemake.params.operation)(
        **files,
        recipe=snakemake.params.recipe,
        finetune=snakemake.params.finetune,
        seed=int(snakemake.wildcards.seed),
        variant=snakemake.wildcards.variant,
    )
