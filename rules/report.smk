# Tidy tables of the whole study, and what people read.

# what the report tells, a notebook each, in this order
LABELLED = [d for d in STUDY.datasets if STUDY.labelled(d)]
CONCERNS = [
    *(["answer"] if LABELLED else []),
    *(["language"] if len(LABELLED) < len(STUDY.datasets) else []),
    "data",
    *(["models", "people"] if LABELLED else []),
    "cost",
    *(["methods"] if LABELLED else []),
    "provenance",
]


rule summarize:
    input:
        assessments=lambda w: of_cells("assessment.parquet"),
        profiles=lambda w: collect("<results>/profile/{p[dataset]}/{p[model]}/{p[engine]}.parquet", p=STUDY.profiles),
        rounds=lambda w: collect(
            "<results>/profile/{p[dataset]}/{p[model]}/{p[engine]}.rounds.parquet", p=STUDY.profiles
        ),
        costs=lambda w: costs(),
        curves=lambda w: of_made("curve.parquet", *FLOAT),
        checks=lambda w: of_made("export.json", *EXPORTED)
        + of_made("quantize.json", "quantize")
        + of_made("encode.json", "encode")
        + of_made("model.json", "prune", "factorize", "distill", "encode"),
        hours=lambda w: by_hour(),
        files=lambda w: [f for f in of_cells("checks.json") if Path(f).parts[-3] not in STUDY.made_by("given")],
    output:
        assessments="<results>/summary/assessments.parquet",
        costs="<results>/summary/costs.parquet",
        curves="<results>/summary/curves.parquet",
        profiles="<results>/summary/profiles.parquet",
        checks="<results>/summary/checks.parquet",
        files="<results>/summary/files.parquet",
        layers="<results>/summary/layers.parquet",
        language="<results>/summary/language.parquet",
        ratios="<results>/summary/ratios.parquet",
        measures="<results>/summary/measures.parquet",
        changes="<results>/summary/changes.parquet",
        variants="<results>/summary/variants.parquet",
        cost="<results>/summary/summarize.cost.json",
    log:
        "<logs>/summarize.log",
    params:
        recipe=lambda w: power(),
        baselines=lambda w: {v: STUDY.baseline(v) for v in STUDY.variants},
        lineages=lambda w: {v: STUDY.lineage(v) for v in STUDY.variants},
        code=code("summarize", files=["config/processors.json"]),
    message:
        "Summarize {STUDY.name}"
    script:
        "../scripts/summarize.py"


rule decide:
    input:
        comparisons=lambda w: of_comparisons("comparisons.parquet"),
        replicates=lambda w: of_comparisons("replicates.parquet"),
        slices=lambda w: of_comparisons("slices.parquet"),
        measures="<results>/summary/measures.parquet",
        changes="<results>/summary/changes.parquet",
    output:
        comparisons="<results>/summary/comparisons.parquet",
        criteria="<results>/summary/criteria.parquet",
        decisions="<results>/summary/decisions.parquet",
        slices="<results>/summary/slices.parquet",
        cost="<results>/summary/decide.cost.json",
    log:
        "<logs>/decide.log",
    params:
        cells=lambda w: STUDY.comparisons,
        criteria=lambda w: config["criteria"],
        replicated=lambda w: [v for v in STUDY.variants if STUDY.replicate(v)],
        attributes=lambda w: {d: STUDY.decided_attributes(d) for d in STUDY.datasets},
        code=code("decide"),
    message:
        "Decide what {STUDY.name} recommends"
    script:
        "../scripts/decide.py"


rule gate:
    input:
        decisions="<results>/summary/decisions.parquet",
        criteria="<results>/summary/criteria.parquet",
    output:
        verdict="<results>/summary/gate.json",
        cost="<results>/summary/gate.cost.json",
    log:
        "<logs>/gate.log",
    params:
        variant=lambda w: config["criteria"]["variant"],
        code=code("gate"),
    message:
        "Hold {STUDY.name} against its criteria"
    script:
        "../scripts/gate.py"


rule power:
    input:
        tables=collect("<results>/data/{dataset}/table.parquet", dataset=LABELLED),
        splits=collect("<results>/seed-0/{dataset}/split.parquet", dataset=LABELLED),
    output:
        power="<results>/summary/power.parquet",
        cost="<results>/summary/power.cost.json",
    log:
        "<logs>/power.log",
    params:
        tests=lambda w: {d: STUDY.largest_family(d) for d in LABELLED},
        seeds=len(STUDY.seeds),
        criteria=lambda w: part(config["criteria"], "attributes", "error_rate", "gap", "margins", "power"),
        smallest_group=lambda w: config["fairness"]["smallest_group"],
        code=code("power"),
    message:
        "Tell what {STUDY.name} can detect (in {log})"
    script:
        "../scripts/power.py"


rule provenance:
    input:
        "<results>/summary/variants.parquet",
        hours=lambda w: by_hour(),
    output:
        provenance="<results>/summary/provenance.json",
        cost="<results>/summary/provenance.cost.json",
    log:
        "<logs>/provenance.log",
    params:
        study=lambda w: dict(config),
        cells=len(STUDY.cells),
        seeds=len(STUDY.seeds),
        left_out=STUDY.left_out,
        code=code("provenance"),
    message:
        "Record what {STUDY.name} was made with"
    script:
        "../scripts/provenance.py"


rule notebook:
    input:
        cards=collect("<results>/data/{dataset}/card.json", dataset=STUDY.datasets),
        tables=rules.summarize.output[:12]
        + rules.decide.output[:4]
        + rules.life_cycle.output[:4]
        + rules.what_if.output[:2],
        power="<results>/summary/power.parquet",
        provenance="<results>/summary/provenance.json",
    output:
        notebook="<results>/report/notebooks/{concern}.ipynb",
        cost="<results>/report/notebooks/{concern}.notebook.cost.json",
    log:
        "<logs>/notebook/{concern}.log",
    wildcard_constraints:
        concern="|".join(CONCERNS),
    params:
        notebook=lambda w: str(ROOT / "notebooks" / f"{w.concern}.ipynb"),
        code=lambda w: code("notebook", files=[f"notebooks/{w.concern}.ipynb", *ROOT.glob("fairweight/report/*.py")])(w),
    message:
        "Render what the report says of {wildcards.concern}"
    script:
        "../scripts/notebook.py"


rule report:
    input:
        notebooks=collect("<results>/report/notebooks/{concern}.ipynb", concern=CONCERNS),
        provenance="<results>/summary/provenance.json",
    output:
        html=report(
            "<results>/report/report.html",
            caption="captions/report.rst",
            category="Report",
            labels={"what": "the whole"},
        ),
        cost="<results>/report/report.cost.json",
    log:
        "<logs>/report.log",
    params:
        code=code("report", files=["fairweight/report/page.html.j2"]),
    message:
        "Assemble the report of {STUDY.name}"
    script:
        "../scripts/report.py"
