# Compressed models (pruned, factorized, distilled, encoded, quantized), and decision thresholds by group.


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
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/<operation>.usage.json",
    log:
        "<logs>/<operation>/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    pathvars:
        operation="prune",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("prune")),
    params:
        operation=operation,
        module=lambda w: OPERATIONS[operation(w)].module,
        recipe=lambda w: config["variants"][w.variant][operation(w)],
        finetune=lambda w: STUDY.training_recipe(w.variant),
        code=compression("prune", pruning=method, distillations=distillation),
    message:
        "Prune {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} "
        "(seed {wildcards.seed})"
    script:
        "../scripts/compression/compress.py"


use rule prune as factorize with:
    pathvars:
        operation="factorize",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("factorize")),
    params:
        code=compression("factorize", factorizations=method),
    message:
        "Factorize {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} "
        "(seed {wildcards.seed})"


use rule prune as distill with:
    input:
        unpack(teacher_files),
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
        augmented="<results>/seed-{seed}/{dataset}/{augmentation}/augmented.parquet",
    pathvars:
        operation="distill",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("distill")),
    params:
        code=compression("distill", distillations=method, engines=teacher_engine),
    message:
        "Distill {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} "
        "(seed {wildcards.seed})"


use rule prune as encode with:
    output:
        coded="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.coded",
        model="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.safetensors",
        about="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.json",
        curve="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/curve.parquet",
        report="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/encode.json",
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/<operation>.usage.json",
    pathvars:
        operation="encode",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("encode")),
    params:
        code=compression("encode", encodings=method),
    message:
        "Encode {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} "
        "(seed {wildcards.seed})"


rule prune_onnx:
    input:
        parent=parent("<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx"),
    output:
        onnx="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx",
        report="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/prune_onnx.json",
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/prune_onnx.usage.json",
    log:
        "<logs>/prune_onnx/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("prune_onnx")),
    params:
        recipe=recipe("variants", "{variant}", "prune_onnx"),
        code=code("compression/prune_onnx", graph_pruning=method, engines=reference_engine),
    message:
        "Prune the file of {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} "
        "(seed {wildcards.seed})"
    script:
        "../scripts/compression/prune_onnx.py"


rule quantize:
    input:
        unpack(training_files),
        parent=parent("<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx"),
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        onnx="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx",
        report="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/quantize.json",
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/quantize.usage.json",
    log:
        "<logs>/quantize/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("quantize")),
    params:
        recipe=recipe("variants", "{variant}", "quantize"),
        finetune=lambda w: STUDY.training_recipe(w.variant) if training_files(w) else None,
        code=code(
            "compression/quantize",
            quantization=quantization,
            engines=reference_engine,
            architectures=lambda w: architecture(w) if training_files(w) else [],
            objectives=lambda w: objective(w) if training_files(w) else [],
            adaptations=lambda w: adaptation(w) if training_files(w) else [],
            tasks=lambda w: task(w) if training_files(w) else [],
        ),
    message:
        "Quantize {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} "
        "(seed {wildcards.seed})"
    script:
        "../scripts/compression/quantize.py"


rule adjust:
    input:
        parent=parent("<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx"),
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        onnx="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.onnx",
        report="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/adjust.json",
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/adjust.usage.json",
    log:
        "<logs>/adjust/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("adjust")),
    params:
        recipe=recipe("variants", "{variant}", "adjust"),
        code=code("compression/adjust", adjustments=method, engines=reference_engine),
    message:
        "Adjust {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} "
        "(seed {wildcards.seed})"
    script:
        "../scripts/compression/adjust.py"
