# What the shipped files predict, how good and how fair that is, and what it costs.


rule predict:
    input:
        terms_file(lambda w: config["datasets"][w.dataset]["counterfactuals"]),
        onnx="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx",
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        predictions="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/predictions.parquet",
        checks="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/checks.json",
        cost="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/predict.cost.json",
    log:
        "<logs>/predict/{dataset}/{augmentation}/{model}/{variant}/{engine}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by(*SHIPPED)),
    params:
        batch_size=lambda w: config["prediction"]["batch_size"],
        counterfactuals=lambda w: config["datasets"][w.dataset]["counterfactuals"],
        code=code(
            "predict",
            engines=lambda w: {*engine(w), "onnxruntime"},
            architectures=torch_architecture,
            tasks=task,
        ),
    message:
        "Predict {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} (seed {wildcards.seed})"
    script:
        "../scripts/predict.py"


rule predict_given:
    input:
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        predictions="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/predictions.parquet",
        cost="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/predict_given.cost.json",
    log:
        "<logs>/predict_given/{dataset}/{augmentation}/{model}/{variant}/{engine}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("given")),
    params:
        recipe=recipe("variants", "{variant}", "given"),
        code=code("predict_given"),
    message:
        "Take given scores {wildcards.variant}: {wildcards.dataset}"
    script:
        "../scripts/predict_given.py"


rule assess:
    input:
        predictions="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/predictions.parquet",
        baseline=baseline(
            "<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/predictions.parquet"
        ),
        table="<results>/data/{dataset}/table.parquet",
    output:
        assessment="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/assessment.parquet",
        cost="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/assess.cost.json",
    log:
        "<logs>/assess/{dataset}/{augmentation}/{model}/{variant}/{engine}/seed-{seed}.log",
    params:
        smallest_group=lambda w: config["fairness"]["smallest_group"],
        intersections=lambda w: config["fairness"]["intersections"],
        families=lambda w: STUDY.metrics(w.dataset),
        code=code("assess", metrics=lambda w: STUDY.metrics(w.dataset)),
    message:
        "Assess {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} (seed {wildcards.seed})"
    script:
        "../scripts/assess.py"


rule compare:
    input:
        predictions=lambda w: collect(
            "<results>/seed-{p[0]}/{p[1].dataset}/{p[1].augmentation}/{p[1].model}/{p[1].variant}/{p[1].engine}/predictions.parquet",
            p=STUDY.compared(**w),
        ),
        table="<results>/data/{dataset}/table.parquet",
    output:
        comparisons="<results>/compared/{dataset}/{augmentation}/{model}/{engine}/comparisons.parquet",
        replicates="<results>/compared/{dataset}/{augmentation}/{model}/{engine}/replicates.parquet",
        cost="<results>/compared/{dataset}/{augmentation}/{model}/{engine}/compare.cost.json",
    log:
        "<logs>/compare/{dataset}/{augmentation}/{model}/{engine}.log",
    params:
        about=lambda w: [{"seed": seed, "variant": cell.variant} for seed, cell in STUDY.compared(**w)],
        baselines=lambda w: {cell.variant: STUDY.baseline(cell.variant) for _, cell in STUDY.compared(**w)},
        smallest_group=lambda w: config["fairness"]["smallest_group"],
        intersections=lambda w: config["fairness"]["intersections"],
        code=code("compare"),
    message:
        "Compare the variants of {wildcards.model}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.engine}"
    script:
        "../scripts/compare.py"


rule discover:
    input:
        predictions=lambda w: collect(
            "<results>/seed-{p[0]}/{p[1].dataset}/{p[1].augmentation}/{p[1].model}/{p[1].variant}/{p[1].engine}/predictions.parquet",
            p=STUDY.compared(**w),
        ),
        table="<results>/data/{dataset}/table.parquet",
    output:
        slices="<results>/compared/{dataset}/{augmentation}/{model}/{engine}/slices.parquet",
        cost="<results>/compared/{dataset}/{augmentation}/{model}/{engine}/discover.cost.json",
    log:
        "<logs>/discover/{dataset}/{augmentation}/{model}/{engine}.log",
    params:
        about=lambda w: [{"seed": seed, "variant": cell.variant} for seed, cell in STUDY.compared(**w)],
        baselines=lambda w: {cell.variant: STUDY.baseline(cell.variant) for _, cell in STUDY.compared(**w)},
        smallest_group=lambda w: config["fairness"]["smallest_group"],
        code=code("discover"),
    message:
        "Discover who loses in {wildcards.model}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.engine}"
    script:
        "../scripts/discover.py"


rule profile:
    input:
        models=lambda w: collect(
            "<results>/seed-{p[0]}/{p[1].dataset}/{p[1].augmentation}/{p[1].model}/{p[1].variant}/model.onnx",
            p=STUDY.profiled(w.dataset, w.model, w.engine),
        ),
        table="<results>/data/{dataset}/table.parquet",
    output:
        profile="<results>/profile/{dataset}/{model}/{engine}.parquet",
        repetitions="<results>/profile/{dataset}/{model}/{engine}.rounds.parquet",
        cost="<results>/profile/{dataset}/{model}/{engine}.profile.cost.json",
    log:
        "<logs>/profile/{dataset}/{model}/{engine}.log",
    # alone on the machine: the plugin for Dask gives it a whole worker, the local executor needs it to claim all cores
    threads: 1 if workflow.non_local_exec else workflow.resource_settings.cores or 1
    resources:
        exclusive=1,
    params:
        about=lambda w: [
            {"seed": seed, "augmentation": cell.augmentation, "variant": cell.variant}
            for seed, cell in STUDY.profiled(w.dataset, w.model, w.engine)
        ],
        recipe=lambda w: config["profile"],
        code=code("profile", engines=engine),
    message:
        "Profile {wildcards.model} on {wildcards.dataset} in {wildcards.engine}, alone on the machine"
    script:
        "../scripts/profile.py"
