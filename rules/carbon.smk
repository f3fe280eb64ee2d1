# Carbon: hourly intensities where the study has them, and the same run in other places and hours.


rule intensity:
    input:
        # what was fetched when all steps are done knows the hours in which they ran
        lambda w: costs() if config["energy"]["electricity_maps"] else [],
        hours=lambda w: [file for file in [config["energy"]["hourly"]] if file and Path(file).is_file()],
    output:
        hours="<results>/summary/intensity.csv",
        cost="<results>/summary/intensity.cost.json",
    log:
        "<logs>/intensity.log",
    params:
        recipe=lambda w: part(config["energy"], *HOURLY),
        code=code("intensity"),
    message:
        "Gather the carbon intensity of every hour"
    script:
        "../scripts/intensity.py"


rule what_if:
    input:
        costs="<results>/summary/costs.parquet",
        profiles="<results>/summary/profiles.parquet",
        hours=lambda w: by_hour(),
    output:
        what_if="<results>/summary/what_if.parquet",
        sci="<results>/summary/sci.parquet",
        cost="<results>/summary/what_if.cost.json",
    log:
        "<logs>/what_if.log",
    params:
        recipe=lambda w: power() | part(config["energy"], "elsewhere", "wue_l_per_kwh", "embodied"),
        code=code("what_if", files=["config/processors.json"]),
    message:
        "Imagine {STUDY.name} in other places and hours"
    script:
        "../scripts/what_if.py"
