# Models: trained from random weights or from a published encoder, or with published weights as they are.


rule train:
    input:
        lambda w: local_sources(config["models"][w.model]),
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
        augmented="<results>/seed-{seed}/{dataset}/{augmentation}/augmented.parquet",
    output:
        model="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.safetensors",
        about="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.json",
        curve="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/curve.parquet",
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/train.usage.json",
    log:
        "<logs>/train/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("train")),
    params:
        architecture=recipe("models", "{model}"),
        recipe=lambda w: STUDY.training_recipe(w.variant),
        replicate=lambda w: STUDY.replicate(w.variant),
        parameters=lambda w: config["variants"][w.variant]["parameters"],
        task=lambda w: STUDY.task(w.dataset),
        code=code(
            "training/train",
            architectures=architecture,
            objectives=objective,
            adaptations=adaptation,
            tasks=task,
            sources=source_schemes(lambda w: config["models"][w.model]),
        ),
    message:
        "Train {wildcards.variant}: {wildcards.dataset}, {wildcards.augmentation}, {wildcards.model} "
        "(seed {wildcards.seed})"
    script:
        "../scripts/training/train.py"


rule pretrained:
    input:
        lambda w: local_sources(config["models"][w.model]),
    output:
        model="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.safetensors",
        about="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model.json",
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/pretrained.usage.json",
    log:
        "<logs>/pretrained/{dataset}/{augmentation}/{model}/{variant}/seed-{seed}.log",
    wildcard_constraints:
        variant=alternation(STUDY.made_by("pretrained")),
    params:
        architecture=lambda w: part(config["models"][w.model], "sha256", "folder", "hub", "context", "start"),
        task=lambda w: STUDY.task(w.dataset),
        code=code(
            "training/pretrained",
            architectures=architecture,
            sources=source_schemes(lambda w: config["models"][w.model]),
        ),
    message:
        "Fetch the published weights of {wildcards.model} (for {wildcards.variant} on {wildcards.dataset})"
    script:
        "../scripts/training/pretrained.py"
