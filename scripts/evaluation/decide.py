from fairweight.core.step import step
from fairweight.evaluation.decide import decide

with step(snakemake.log[0], snakemake.output.usage, snakemake.threads):
    decide(
        comparisons=dict(zip(snakemake.input.comparisons, snakemake.params.cells, strict=True)),
        replicates=dict(zip(snakemake.input.replicates, snakemake.params.cells, strict=True)),
        slices=dict(zip(snakemake.input.slices, snakemake.params.cells, strict=True)),
        measures=snakemake.input.measures,
        changes=snakemake.input.changes,
        criteria=snakemake.params.criteria,
        replicated=snakemake.params.replicated,
        attributes=snakemake.params.attributes,
        destination={name: path for name, path in snakemake.output.items() if name != "usage"},
    )
