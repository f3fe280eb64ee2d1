from pathlib import Path

from fairweight.core.step import step
from fairweight.evaluation.decide import decide

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    compared = {
        name: dict(zip(snakemake.input[name], snakemake.params.cells, strict=True))
        for name in ("comparisons", "pairs", "replicates", "slices", "models")
    }
    decide(
        **compared,
        summary={name: snakemake.input[name] for name in ("measures", "ratios", "profiles", "assessments")},
        simple={Path(path).parent.name: path for path in snakemake.input.simple},
        criteria=snakemake.params.criteria,
        recipe=snakemake.params.recipe,
        energy=snakemake.params.energy,
        factors=snakemake.params.factors,
        controls=snakemake.params.controls,
        replicated=snakemake.params.replicated,
        attributes=snakemake.params.attributes,
        destination={name: path for name, path in snakemake.output.items() if name != "usage"},
    )
