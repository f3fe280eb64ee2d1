# The imported or exported ONNX file, its predictions and its latency.


rule import_onnx:
    input:
        lambda w: local_files(config["models"][w.model]),
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        onnx="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx",
        report="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/import.json",
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/import_onnx.usage.json",
    log:
        "<logs>/import_onnx/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("import_onnx")),
    params:
        recipe=recipe("models", "{model}"),
        code=code("inference/import_onnx"),
    message:
        "Import {wildcards.model}: {wildcards.variant}, {wildcards.dataset} (seed {wildcards.seed})"
    script:
        "../scripts/inference/import_onnx.py"


rule import_torch:
    input:
        lambda w: local_files(config["models"][w.model]),
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        model="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.safetensors",
        about="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.json",
        report="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/import.json",
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/import_torch.usage.json",
    log:
        "<logs>/import_torch/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("import_torch")),
    params:
        recipe=recipe("models", "{model}"),
        code=code("inference/import_torch", architectures=architecture, tasks=task),
    message:
        "Import {wildcards.model}: {wildcards.variant}, {wildcards.dataset} (seed {wildcards.seed})"
    script:
        "../scripts/inference/import_torch.py"


rule export:
    input:
        model="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.safetensors",
        about="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.json",
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        onnx="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx",
        report="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/export.json",
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/export.usage.json",
    log:
        "<logs>/export/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by(*EXPORTED)),
    params:
        code=code("inference/export", architectures=architecture, engines=reference_engine, tasks=task),
    message:
        "Export {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} "
        "(seed {wildcards.seed})"
    script:
        "../scripts/inference/export.py"


rule predict:
    input:
        terms_file(lambda w: config["datasets"][w.dataset]["counterfactuals"]),
        onnx="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx",
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        predictions="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/predictions.parquet",
        checks="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/checks.json",
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/predict.usage.json",
    log:
        "<logs>/predict/{dataset}/{augmentation}/{model}/{variant}/{engine}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by(*SHIPPED)),
    params:
        batch_size=config["prediction"]["batch_size"],
        counterfactuals=lambda w: config["datasets"][w.dataset]["counterfactuals"],
        code=code(
            "inference/predict",
            engines=lambda w: {*engine(w), *reference_engine(w)},
            architectures=built_architecture,
            tasks=task,
        ),
    message:
        "Predict {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} "
        "(seed {wildcards.seed})"
    script:
        "../scripts/inference/predict.py"


# what a file says of the rows that its model may have been trained on, for the audit of membership
rule predict_pool:
    input:
        onnx="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx",
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        pool="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/pool.parquet",
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/predict_pool.usage.json",
    log:
        "<logs>/predict_pool/{dataset}/{augmentation}/{model}/{variant}/{engine}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by(*SHIPPED)),
    params:
        batch_size=config["prediction"]["batch_size"],
        most_rows=lambda w: config["privacy_audit"]["rows"],
        code=code("inference/predict_pool", engines=engine, architectures=built_architecture, tasks=task),
    message:
        "Predict rows that {wildcards.variant} may know: {wildcards.dataset}, {wildcards.augmentation}, "
        "{wildcards.model} (shadow {wildcards.seed})"
    script:
        "../scripts/inference/predict_pool.py"


rule explain:
    input:
        onnx="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx",
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        explanations="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/explanations.parquet",
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/explain.usage.json",
    log:
        "<logs>/explain/{dataset}/{augmentation}/{model}/{variant}/{engine}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by(*SHIPPED)),
    params:
        batch_size=lambda w: config["prediction"]["batch_size"],
        recipe=lambda w: part(config["explain"], "rows", "permutations", "patches"),
        code=code("inference/explain", engines=engine, architectures=built_architecture, tasks=task),
    message:
        "Explain {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} "
        "(seed {wildcards.seed})"
    script:
        "../scripts/inference/explain.py"


rule predict_given:
    input:
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        predictions="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/predictions.parquet",
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/{engine}/predict_given.usage.json",
    log:
        "<logs>/predict_given/{dataset}/{augmentation}/{model}/{variant}/{engine}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("given")),
    params:
        recipe=recipe("variants", "{variant}", "given"),
        code=code("inference/predict_given"),
    message:
        "Read given scores {wildcards.variant}: {wildcards.dataset}"
    script:
        "../scripts/inference/predict_given.py"


rule profile:
    input:
        models=lambda w: collect(
            "<results>/seed-{p[0]}/{p[1].dataset}/{p[1].augmentation}/{p[1].model}/{p[1].variant}/model.onnx",
            p=STUDY.profiled(w.dataset, w.model, w.engine),
        ),
        # the files whose sizes are those of encoded variants
        coded=lambda w: collect(
            "<results>/seed-{p[0]}/{p[1].dataset}/{p[1].augmentation}/{p[1].model}/{p[1].variant}/model.coded",
            p=[
                (seed, cell)
                for seed, cell in STUDY.profiled(w.dataset, w.model, w.engine)
                if cell.variant in STUDY.made_by("encode")
            ],
        ),
        table="<results>/data/{dataset}/table.parquet",
    output:
        profile="<results>/profile/{dataset}/{model}/{engine}.parquet",
        repetitions="<results>/profile/{dataset}/{model}/{engine}.rounds.parquet",
        usage="<results>/profile/{dataset}/{model}/{engine}.profile.usage.json",
    log:
        "<logs>/profile/{dataset}/{model}/{engine}.log",
    # alone on the machine: the Dask plugin gives it a whole worker; with the local executor it must claim all cores
    threads: 1 if workflow.non_local_exec else workflow.resource_settings.cores or 1
    resources:
        exclusive=1,
    params:
        about=lambda w: [
            {"seed": seed, "augmentation": cell.augmentation, "variant": cell.variant}
            for seed, cell in STUDY.profiled(w.dataset, w.model, w.engine)
        ],
        recipe=lambda w: config["profile"],
        code=code("inference/profile", engines=engine, tasks=task),
    message:
        "Profile {wildcards.model} on {wildcards.dataset} in {wildcards.engine}, alone on the machine"
    script:
        "../scripts/inference/profile.py"
