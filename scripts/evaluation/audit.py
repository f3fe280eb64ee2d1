from fairweight.core.step import step
from fairweight.evaluation.audit import audit

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    audit(
        pools=list(snakemake.input.pools),
        about=snakemake.params.about,
        tables=dict(zip(snakemake.params.datasets, snakemake.input.tables, strict=True)),
        recipe=snakemake.params.recipe,
        out=snakemake.output.privacy,
    )
