# From raw files to tables, data cards, splits and augmented training rows.
# What `power` needs goes first: it says what the study cannot decide before anything is trained.


rule fetch:
    input:
        lambda w: local_sources(raw_file(w)),
    output:
        raw="<results>/data/{dataset}/raw/{file}",
        usage="<results>/data/{dataset}/raw-usage/{file}.fetch.usage.json",
    log:
        "<logs>/fetch/{dataset}/{file}.log",
    priority: 1
    params:
        sha256=lambda w: raw_file(w)["sha256"],
        code=code("data/fetch", sources=source_schemes(raw_file)),
    message:
        "Fetch {wildcards.file} of {wildcards.dataset}"
    script:
        "../scripts/data/fetch.py"


rule read:
    input:
        lambda w: collect(
            "<results>/data/{dataset}/raw/{file}", dataset=w.dataset, file=config["datasets"][w.dataset]["files"]
        ),
    output:
        table="<results>/data/{dataset}/table.parquet",
        contents="<results>/data/{dataset}/contents.json",
        usage="<results>/data/{dataset}/read.usage.json",
    log:
        "<logs>/read/{dataset}.log",
    priority: 1
    params:
        files=lambda w: list(config["datasets"][w.dataset]["files"]),
        recipe=lambda w: part(
            config["datasets"][w.dataset],
            *("reader", "decimal", "thousands", "dates"),
            *("inputs", "target", "groups", "drop", "quasi_identifiers", "repeated"),
        ),
        given=lambda w: STUDY.given_columns(w.dataset),
        predicted=lambda w: STUDY.predicted_columns(w.dataset),
        code=code("data/read", readers=lambda w: [config["datasets"][w.dataset]["reader"]["method"]]),
    message:
        "Read {wildcards.dataset}"
    script:
        "../scripts/data/read.py"


rule card:
    input:
        contents="<results>/data/{dataset}/contents.json",
        table="<results>/data/{dataset}/table.parquet",
    output:
        card="<results>/data/{dataset}/card.json",
        usage="<results>/data/{dataset}/card.usage.json",
    log:
        "<logs>/card/{dataset}.log",
    params:
        recipe=lambda w: part(config["datasets"][w.dataset], "title", "licence", "homepage", "files", "split"),
        code=code("data/card"),
    message:
        "Write the data card of {wildcards.dataset}"
    script:
        "../scripts/data/card.py"


rule split:
    input:
        table="<results>/data/{dataset}/table.parquet",
    output:
        split="<results>/seed-{seed}/{dataset}/split.parquet",
        usage="<results>/seed-{seed}/{dataset}/split.usage.json",
    log:
        "<logs>/split/{dataset}/seed-{seed}.log",
    priority: 1
    params:
        recipe=lambda w: STUDY.split_recipe(w.dataset, int(w.seed)),
        code=code("data/split"),
    message:
        "Split {wildcards.dataset} (seed {wildcards.seed})"
    script:
        "../scripts/data/split.py"


rule augment:
    input:
        terms_file(lambda w: STUDY.augmentations[w.augmentation].get("terms")),
        table="<results>/data/{dataset}/table.parquet",
        split="<results>/seed-{seed}/{dataset}/split.parquet",
    output:
        augmented="<results>/seed-{seed}/{dataset}/{augmentation}/augmented.parquet",
        usage="<results>/seed-{seed}/{dataset}/{augmentation}/augment.usage.json",
    log:
        "<logs>/augment/{dataset}/{augmentation}/seed-{seed}.log",
    params:
        recipe=recipe("augmentations", "{augmentation}"),
        code=code("data/augment", augmentations=lambda w: [STUDY.augmentations[w.augmentation]["method"]]),
    message:
        "Augment {wildcards.dataset} with {wildcards.augmentation} (seed {wildcards.seed})"
    script:
        "../scripts/data/augment.py"


rule examine_made:
    input:
        augmented=lambda w: [
            f"<results>/seed-0/{dataset}/{augmentation}/augmented.parquet" for dataset, augmentation in STUDY.generated
        ],
        tables=lambda w: [f"<results>/data/{dataset}/table.parquet" for dataset in generated_datasets()],
        splits=lambda w: [f"<results>/seed-0/{dataset}/split.parquet" for dataset in generated_datasets()],
    output:
        made="<results>/summary/made.parquet",
        usage="<results>/summary/examine_made.usage.json",
    log:
        "<logs>/examine_made.log",
    params:
        about=lambda w: [{"dataset": d, "augmentation": a} for d, a in STUDY.generated],
        datasets=lambda w: generated_datasets(),
        code=code("data/examine_made"),
    message:
        f"Examine the rows that augmentations of {STUDY.name} generate"
    script:
        "../scripts/data/examine_made.py"
