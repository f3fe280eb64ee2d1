from fairweight.core.step import step
from fairweight.evaluation.gate import check_criteria

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    check_criteria(
        decisions=snakemake.input.decisions,
        criteria=snakemake.input.criteria,
        untested=snakemake.input.untested,
        shipped=snakemake.input.shipped,
        destination=snakemake.output.verdict,
        variant=snakemake.params.variant,
    )
