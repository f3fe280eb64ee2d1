# Accuracy and fairness of every variant, comparisons over seeds, summary tables and the decision.


rule assess:
    input:
        predictions="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/predictions.parquet",
        baseline=baseline(
            "<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/predictions.parquet"
        ),
        table="<results>/data/{dataset}/table.parquet",
    output:
        assessment="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/assessment.parquet",
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/assess.usage.json",
    log:
        "<logs>/assess/{dataset}/{augmentation}/{model}/{variant}/{engine}/seed-{seed}.log",
    params:
        smallest_group=config["fairness"]["smallest_group"],
        intersections=config["fairness"]["intersections"],
        families=lambda w: STUDY.metrics(w.dataset),
        code=code("evaluation/assess", metrics=lambda w: STUDY.metrics(w.dataset)),
    message:
        "Assess {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} "
        "(seed {wildcards.seed})"
    script:
        "../scripts/evaluation/assess.py"


# once for each dataset: its rows are those of the first seed
rule simple_model:
    input:
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        predictions="<results>/seed-{seed}/{dataset}/simple_model.parquet",
        usage="<results>/seed-{seed}/{dataset}/simple_model.usage.json",
    log:
        "<logs>/simple_model/{dataset}/seed-{seed}.log",
    params:
        code=code("evaluation/simple_model"),
    message:
        "Fit a logistic regression to {wildcards.dataset}"
    script:
        "../scripts/evaluation/simple_model.py"


rule compare:
    input:
        predictions=predictions_with_baselines,
        table="<results>/data/{dataset}/table.parquet",
        simple="<results>/seed-0/{dataset}/simple_model.parquet",
    output:
        comparisons="<results>/compared/{dataset}/{augmentation}/{model}/{engine}/comparisons.parquet",
        pairs="<results>/compared/{dataset}/{augmentation}/{model}/{engine}/pairs.parquet",
        replicates="<results>/compared/{dataset}/{augmentation}/{model}/{engine}/replicates.parquet",
        models="<results>/compared/{dataset}/{augmentation}/{model}/{engine}/models.parquet",
        usage="<results>/compared/{dataset}/{augmentation}/{model}/{engine}/compare.usage.json",
    log:
        "<logs>/compare/{dataset}/{augmentation}/{model}/{engine}.log",
    params:
        about=lambda w: [
            {"seed": seed, "augmentation": cell.augmentation, "variant": cell.variant}
            for seed, cell in STUDY.with_baselines(**w)
        ],
        baselines=lambda w: {
            cell.variant: [STUDY.cell_baseline(cell).augmentation, STUDY.cell_baseline(cell).variant]
            for _, cell in STUDY.compared(**w)
        },
        smallest_group=lambda w: config["fairness"]["smallest_group"],
        intersections=lambda w: config["fairness"]["intersections"],
        code=code("evaluation/compare"),
    message:
        "Compare the variants of {wildcards.model}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.engine}"
    script:
        "../scripts/evaluation/compare.py"


rule discover:
    input:
        predictions=compared_predictions,
        table="<results>/data/{dataset}/table.parquet",
    output:
        slices="<results>/compared/{dataset}/{augmentation}/{model}/{engine}/slices.parquet",
        usage="<results>/compared/{dataset}/{augmentation}/{model}/{engine}/discover.usage.json",
    log:
        "<logs>/discover/{dataset}/{augmentation}/{model}/{engine}.log",
    params:
        about=lambda w: [{"seed": seed, "variant": cell.variant} for seed, cell in STUDY.compared(**w)],
        baselines=lambda w: {cell.variant: STUDY.baseline(cell.variant) for _, cell in STUDY.compared(**w)},
        smallest_group=lambda w: config["fairness"]["smallest_group"],
        group_columns=lambda w: [
            group["column"] for group in config["datasets"][w.dataset]["groups"].values() if "column" in group
        ],
        code=code("evaluation/discover"),
    message:
        "Find slices that lose in {wildcards.model}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.engine}"
    script:
        "../scripts/evaluation/discover.py"


rule audit:
    input:
        pools=lambda w: [f"{MADE}/{{c.engine}}/pool.parquet".format(seed=seed, c=c) for seed, c in STUDY.audited],
        tables=lambda w: collect(
            "<results>/data/{dataset}/table.parquet", dataset=sorted({c.dataset for _, c in STUDY.audited})
        ),
    output:
        privacy="<results>/summary/privacy.parquet",
        usage="<results>/summary/audit.usage.json",
    log:
        "<logs>/audit.log",
    params:
        about=lambda w: with_places(STUDY.audited),
        datasets=lambda w: sorted({c.dataset for _, c in STUDY.audited}),
        recipe=lambda w: config["privacy_audit"],
        code=code("evaluation/audit"),
    message:
        f"Audit what the files of {STUDY.name} give away about training rows"
    script:
        "../scripts/evaluation/audit.py"


rule compare_explanations:
    input:
        explanations=lambda w: [
            f"{MADE}/{{c.engine}}/explanations.parquet".format(seed=seed, c=c) for seed, c in STUDY.explained
        ],
        tables=lambda w: collect(
            "<results>/data/{dataset}/table.parquet", dataset=sorted({c.dataset for _, c in STUDY.explained})
        ),
    output:
        reasons="<results>/summary/reasons.parquet",
        importances="<results>/summary/importances.parquet",
        usage="<results>/summary/compare_explanations.usage.json",
    log:
        "<logs>/compare_explanations.log",
    params:
        about=lambda w: with_places(STUDY.explained),
        datasets=lambda w: sorted({c.dataset for _, c in STUDY.explained}),
        replicates=lambda w: [v for v in STUDY.variants if STUDY.variants[v].recipe.get("replicate")],
        code=code("evaluation/compare_explanations"),
    message:
        f"Compare the reasons of the variants of {STUDY.name}"
    script:
        "../scripts/evaluation/compare_explanations.py"


rule summarize:
    input:
        assessments=lambda w: cell_files("assessment.parquet"),
        profiles=lambda w: collect("<results>/profile/{p[dataset]}/{p[model]}/{p[engine]}.parquet", p=STUDY.profiles),
        rounds=lambda w: collect(
            "<results>/profile/{p[dataset]}/{p[model]}/{p[engine]}.rounds.parquet", p=STUDY.profiles
        ),
        usage=lambda w: usage_files(),
        curves=lambda w: variant_files("curve.parquet", *[o.name for o in OPERATIONS.values() if o.trains]),
        checks=lambda w: report_files(),
        hours=lambda w: hourly_file(),
        files=lambda w: predicted_files("checks.json"),
    output:
        assessments="<results>/summary/assessments.parquet",
        steps="<results>/summary/steps.parquet",
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
        usage="<results>/summary/summarize.usage.json",
    log:
        "<logs>/summarize.log",
    params:
        recipe=lambda w: energy_model(),
        baselines=lambda w: {v: STUDY.baseline(v) for v in STUDY.variants},
        lineages=lambda w: {v: STUDY.lineage(v) for v in STUDY.variants},
        code=code("evaluation/summarize", files=["config/processors.json"]),
    message:
        f"Summarize {STUDY.name}"
    script:
        "../scripts/evaluation/summarize.py"


rule decide:
    input:
        comparisons=lambda w: comparison_files("comparisons.parquet"),
        pairs=lambda w: comparison_files("pairs.parquet"),
        replicates=lambda w: comparison_files("replicates.parquet"),
        slices=lambda w: comparison_files("slices.parquet"),
        models=lambda w: comparison_files("models.parquet"),
        measures="<results>/summary/measures.parquet",
        ratios="<results>/summary/ratios.parquet",
        profiles="<results>/summary/profiles.parquet",
        assessments="<results>/summary/assessments.parquet",
        simple=collect("<results>/seed-0/{dataset}/simple_model.parquet", dataset=LABELLED),
    output:
        comparisons="<results>/summary/comparisons.parquet",
        criteria="<results>/summary/criteria.parquet",
        parts="<results>/summary/parts.parquet",
        untested="<results>/summary/untested.parquet",
        decisions="<results>/summary/decisions.parquet",
        goals="<results>/summary/goals.parquet",
        crossings="<results>/summary/crossings.parquet",
        shipped="<results>/summary/shipped.parquet",
        slices="<results>/summary/slices.parquet",
        guards="<results>/summary/guards.parquet",
        simple_models="<results>/summary/simple_models.parquet",
        usage="<results>/summary/decide.usage.json",
    log:
        "<logs>/decide.log",
    params:
        cells=lambda w: STUDY.comparisons,
        criteria=lambda w: config["criteria"],
        recipe=lambda w: config["decision"],
        energy=lambda w: energy_model(),
        factors=lambda w: life_cycle_factors(),
        controls=lambda w: STUDY.controls,
        replicated=lambda w: [v for v in STUDY.variants if STUDY.replicate(v)],
        attributes=lambda w: {d: STUDY.decided_attributes(d) for d in STUDY.datasets},
        code=code("evaluation/decide", files=["config/processors.json"]),
    message:
        f"Decide what {STUDY.name} recommends"
    script:
        "../scripts/evaluation/decide.py"


rule gate:
    input:
        decisions="<results>/summary/decisions.parquet",
        criteria="<results>/summary/criteria.parquet",
        untested="<results>/summary/untested.parquet",
        shipped="<results>/summary/shipped.parquet",
    output:
        verdict="<results>/summary/gate.json",
        usage="<results>/summary/gate.usage.json",
    log:
        "<logs>/gate.log",
    params:
        variant=lambda w: config["criteria"]["variant"],
        code=code("evaluation/gate"),
    message:
        f"Check {STUDY.name} against its criteria"
    script:
        "../scripts/evaluation/gate.py"


# before training, which may take hours: it says what the study cannot decide
rule power:
    input:
        tables=collect("<results>/data/{dataset}/table.parquet", dataset=LABELLED),
        splits=collect("<results>/seed-0/{dataset}/split.parquet", dataset=LABELLED),
    output:
        power="<results>/summary/power.parquet",
        usage="<results>/summary/power.usage.json",
    log:
        "<logs>/power.log",
    priority: 1
    params:
        tests=lambda w: {d: STUDY.largest_family(d) for d in LABELLED},
        seeds=lambda w: {d: STUDY.most_seeds(d) for d in LABELLED},
        criteria=lambda w: part(
            config["criteria"], "attributes", "ceilings", "error_rate", "gap", "margins", "power", "untested"
        ),
        smallest_group=lambda w: config["fairness"]["smallest_group"],
        code=code("evaluation/power"),
    message:
        f"Compute the power of {STUDY.name} (see {{log}})"
    script:
        "../scripts/evaluation/power.py"
