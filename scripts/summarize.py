from pathlib import Path

from fairweight.intensity import with_hours
from fairweight.job import job
from fairweight.summaries import summarize

with job(snakemake.log[0], snakemake.output.cost, snakemake.threads):
    summarize(
        results=str(Path(snakemake.output.cost).parents[1]),
        assessments=list(snakemake.input.assessments),
        profiles=list(snakemake.input.profiles),
        rounds=list(snakemake.input.rounds),
        costs=list(snakemake.input.costs),
        curves=list(snakemake.input.curves),
        files=snakemake.input.files,
        checks=list(snakemake.input.checks),
        recipe=with_hours(snakemake.params.recipe, snakemake.input.hours),
        baselines=snakemake.params.baselines,
        lineages=snakemake.params.lineages,
        destination={name: path for name, path in snakemake.output.items() if name != "cost"},
    )
