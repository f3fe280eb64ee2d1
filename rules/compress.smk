# Smaller models from trained ones, and the one file that ships.


rule prune:
    input:
        parent=parent("<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.safetensors"),
        parent_about=parent("<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.json"),
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
        augmented="<results>/seed-{seed}/{dataset}/{augmentation}/augmented.parquet",
    output:
        model="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.safetensors",
        about="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.json",
        curve="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/curve.parquet",
        cost="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/prune.cost.json",
    log:
        "<logs>/prune/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("prune")),
    params:
        recipe=recipe("variants", "{variant}", "prune"),
        finetune=lambda w: STUDY.training_recipe(w.variant),
        code=code(
            "prune",
            pruning=lambda w: [config["variants"][w.variant]["prune"]["method"]],
            architectures=architecture,
            objectives=objective,
        ),
    message:
        "Prune {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} (seed {wildcards.seed})"
    script:
        "../scripts/prune.py"


rule export:
    input:
        model="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.safetensors",
        about="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.json",
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        onnx="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx",
        report="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/export.json",
        cost="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/export.cost.json",
    log:
        "<logs>/export/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("train", "prune")),
    params:
        code=code("export", architectures=architecture, engines=lambda w: ["onnxruntime"]),
    message:
        "Export {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} (seed {wildcards.seed})"
    script:
        "../scripts/export.py"


rule quantize:
    input:
        parent=parent("<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx"),
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        onnx="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx",
        report="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/quantize.json",
        cost="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/quantize.cost.json",
    log:
        "<logs>/quantize/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("quantize")),
    params:
        recipe=recipe("variants", "{variant}", "quantize"),
        code=code("quantize", quantization=quantization),
    message:
        "Quantize {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} (seed {wildcards.seed})"
    script:
        "../scripts/quantize.py"


rule adjust:
    input:
        parent=parent("<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx"),
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        onnx="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx",
        report="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/adjust.json",
        cost="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/adjust.cost.json",
    log:
        "<logs>/adjust/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("adjust")),
    params:
        recipe=recipe("variants", "{variant}", "adjust"),
        code=code("adjust", adjustments=lambda w: [config["variants"][w.variant]["adjust"]["method"]]),
    message:
        "Adjust {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} (seed {wildcards.seed})"
    script:
        "../scripts/adjust.py"
