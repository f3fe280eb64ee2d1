from fairweight.core.operations import function
from fairweight.core.step import step

with step(snakemake.log[0], snakemake.output.usage, snakemake.threads):
    files = {**dict(snakemake.input.items()), **dict(snakemake.output.items())}
    del files["usage"]
    function(snakemake.params.operation)(
        **files,
        recipe=snakemake.params.recipe,
        finetune=snakemake.params.finetune,
        seed=int(snakemake.wildcards.seed),
        variant=snakemake.wildcards.variant,
    )
