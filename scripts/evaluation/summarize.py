from pathlib import Path

from fairweight.core.step import step
from fairweight.energy.carbon_intensity import with_hours
from fairweight.evaluation.summarize import summarize

with step(snakemake.log[0], snakemake.input, snakemake.output, snakemake.threads):
    summarize(
        results=str(Path(snakemake.output.usage).parents[1]),
        assessments=list(snakemake.input.assessments),
        profiles=list(snakemake.input.profiles),
        rounds=list(snakemake.input.rounds),
        usage=list(snakemake.input.usage),
        curves=list(snakemake.input.curves),
        files=snakemake.input.files,
        checks=list(snakemake.input.checks),
        recipe=with_hours(snakemake.params.recipe, snakemake.input.hours),
        baselines=snakemake.params.baselines,
        lineages=snakemake.params.lineages,
        destination={name: path for name, path in snakemake.output.items() if name != "usage"},
    )
