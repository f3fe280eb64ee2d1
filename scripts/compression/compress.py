from fairweight.core.step import step
from fairweight.core.step_function import step_function

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    files = {**dict(snakemake.input.items()), **dict(snakemake.output.items())}
    del files["usage"]
    step_function(snakemake.params.module, snakemake.params.operation)(
        **files,
        recipe=snakemake.params.recipe,
        finetune=snakemake.params.finetune,
        seed=int(snakemake.wildcards.seed),
        variant=snakemake.wildcards.variant,
    )
