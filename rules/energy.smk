# Carbon intensity by hour, the same study in other places and hours, and the life cycle of every variant.


rule gather_intensity:
    input:
        # fetched after all steps, so that it covers the hours in which they ran
        lambda w: usage_files() if config["energy"]["electricity_maps"] else [],
        hours=lambda w: [file for file in [config["energy"]["hourly"]] if file and Path(file).is_file()],
    output:
        hours="<results>/summary/intensity.csv",
        usage="<results>/summary/gather_intensity.usage.json",
    log:
        "<logs>/gather_intensity.log",
    params:
        recipe=lambda w: part(config["energy"], *HOURLY),
        code=code("energy/gather_intensity"),
    message:
        "Gather the carbon intensity of every hour"
    script:
        "../scripts/energy/gather_intensity.py"


rule what_if:
    input:
        rules="<results>/summary/rules.parquet",
        steps="<results>/summary/steps.parquet",
        profiles="<results>/summary/profiles.parquet",
        hours=lambda w: hourly_file(),
    output:
        what_if="<results>/summary/what_if.parquet",
        sci="<results>/summary/sci.parquet",
        usage="<results>/summary/what_if.usage.json",
    log:
        "<logs>/what_if.log",
    params:
        recipe=lambda w: energy_model() | part(config["energy"], "elsewhere", "wue_l_per_kwh", "embodied"),
        code=code("energy/what_if", files=["config/processors.json"]),
    message:
        f"Compute the emissions of {STUDY.name} in other places and hours"
    script:
        "../scripts/energy/what_if.py"


rule life_cycle:
    input:
        steps="<results>/summary/steps.parquet",
        profiles="<results>/summary/profiles.parquet",
        ratios="<results>/summary/ratios.parquet",
        measures="<results>/summary/measures.parquet",
        changes="<results>/summary/changes.parquet",
        hours=lambda w: hourly_file(),
        # not read: the ledger, which no rule declares, is more complete once the decisions exist
        decisions="<results>/summary/decisions.parquet",
    output:
        rules="<results>/summary/rules.parquet",
        life_cycle="<results>/summary/life_cycle.parquet",
        break_even="<results>/summary/break_even.parquet",
        estimators="<results>/summary/estimators.parquet",
        usage="<results>/summary/life_cycle.usage.json",
    log:
        "<logs>/life_cycle.log",
    params:
        recipe=lambda w: energy_model() | part(config["energy"], "meter_csv"),
        factors=lambda w: life_cycle_factors(),
        baselines=lambda w: {v: STUDY.baseline(v) for v in STUDY.variants},
        lineages=lambda w: {v: STUDY.lineage(v) for v in STUDY.variants},
        code=code("energy/life_cycle", files=["config/processors.json"]),
    message:
        f"Compute the life cycle of the variants of {STUDY.name}"
    script:
        "../scripts/energy/life_cycle.py"


rule later_steps:
    input:
        rules="<results>/summary/rules.parquet",
        hours=lambda w: hourly_file(),
        # not read: the ledger, which no rule declares, holds all sections of the report but the one that shows it
        notebooks=lambda w: collect(
            "<results>/report/notebooks/{concern}.ipynb", concern=[c for c in CONCERNS if c != "resources"]
        ),
    output:
        later="<results>/summary/later_steps.json",
        usage="<results>/summary/later_steps.usage.json",
    log:
        "<logs>/later_steps.log",
    params:
        recipe=lambda w: energy_model(),
        code=code("energy/later_steps", files=["config/processors.json"]),
    message:
        f"Count what the latest steps of {STUDY.name} have used"
    script:
        "../scripts/energy/later_steps.py"
