# fairweight: which compressed version of a model can ship, for whom, and what does it save?
from snakemake.utils import min_version

min_version("9.27")


# a study given with --configfile stands alone; nothing of the default study is mixed into it
if not workflow.config_settings.configfiles and "datasets" not in config:

    configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/inputs.smk"
include: "rules/versions.smk"
include: "rules/collected.smk"


envvars:
    *[*NO_REPORTS, "FAIRWEIGHT_CHECKOUT"],  # for every job and worker, before its first import


pathvars:
    results=results_folder(config),
    logs=logs_folder(config),


wildcard_constraints:
    dataset=alternation(config["datasets"]),
    augmentation=alternation(STUDY.augmentations),
    model=alternation([*config["models"], GIVEN]),
    variant=alternation(STUDY.variants),
    engine=alternation([*config["engines"], GIVEN]),
    file=r"[^/]+",
    seed=r"\d+",


onstart:
    check_start()
    print_total_at_exit(Path(results_folder(config)), config["energy"])


rule all:
    default_target: True
    input:
        lambda w: missing_files(),
        report="<results>/report/report.html",
    message:
        "The report is {input.report}"


include: "rules/data.smk"
include: "rules/training.smk"
include: "rules/compression.smk"
include: "rules/inference.smk"
include: "rules/evaluation.smk"
include: "rules/energy.smk"
include: "rules/reporting.smk"
include: "rules/signatures.smk"
