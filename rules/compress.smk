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
            distillations=teaching,
            architectures=architecture,
            objectives=objective,
            adaptations=adaptation,
            tasks=task,
        ),
    message:
        "Prune {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} (seed {wildcards.seed})"
    script:
        "../scripts/prune.py"


rule factorize:
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
        cost="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/factorize.cost.json",
    log:
        "<logs>/factorize/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("factorize")),
    params:
        recipe=recipe("variants", "{variant}", "factorize"),
        finetune=lambda w: STUDY.training_recipe(w.variant),
        code=code(
            "factorize",
            factorizations=lambda w: [config["variants"][w.variant]["factorize"]["method"]],
            architectures=architecture,
            objectives=objective,
            adaptations=adaptation,
            tasks=task,
        ),
    message:
        "Factorize {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} (seed {wildcards.seed})"
    script:
        "../scripts/factorize.py"


rule distill:
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
        cost="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/distill.cost.json",
    log:
        "<logs>/distill/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("distill")),
    params:
        recipe=recipe("variants", "{variant}", "distill"),
        finetune=lambda w: STUDY.training_recipe(w.variant),
        code=code(
            "distill",
            distillations=lambda w: [config["variants"][w.variant]["distill"]["method"]],
            architectures=architecture,
            objectives=objective,
            adaptations=adaptation,
            tasks=task,
        ),
    message:
        "Distill {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} (seed {wildcards.seed})"
    script:
        "../scripts/distill.py"


rule encode:
    input:
        parent=parent("<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.safetensors"),
        parent_about=parent("<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.json"),
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
        augmented="<results>/seed-{seed}/{dataset}/{augmentation}/augmented.parquet",
    output:
        coded="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.coded",
        model="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.safetensors",
        about="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.json",
        curve="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/curve.parquet",
        report="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/encode.json",
        cost="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/encode.cost.json",
    log:
        "<logs>/encode/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("encode")),
    params:
        recipe=recipe("variants", "{variant}", "encode"),
        finetune=lambda w: STUDY.training_recipe(w.variant),
        code=code(
            "encode",
            encodings=lambda w: [config["variants"][w.variant]["encode"]["method"]],
            architectures=architecture,
            objectives=objective,
            adaptations=adaptation,
            tasks=task,
        ),
    message:
        "Encode {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} (seed {wildcards.seed})"
    script:
        "../scripts/encode.py"


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
        variant=alternation(STUDY.made_by(*EXPORTED)),
    params:
        code=code("export", architectures=architecture, engines=lambda w: ["onnxruntime"], tasks=task),
    message:
        "Export {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} (seed {wildcards.seed})"
    script:
        "../scripts/export.py"


rule quantize:
    input:
        unpack(what_trains),
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
        finetune=lambda w: STUDY.training_recipe(w.variant) if what_trains(w) else None,
        code=code(
            "quantize",
            quantization=quantization,
            architectures=lambda w: architecture(w) if what_trains(w) else [],
            objectives=lambda w: objective(w) if what_trains(w) else [],
            adaptations=lambda w: adaptation(w) if what_trains(w) else [],
            tasks=lambda w: task(w) if what_trains(w) else [],
        ),
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
