# Lists of files of the whole study, which rules collect.

MADE = "<results>/seed-{seed}/{c.dataset}/{c.augmentation}/{c.model}/{c.variant}"


def cell_files(name):
    """A file of every assessed cell and seed."""
    return [f"{MADE}/{{c.engine}}/{name}".format(seed=seed, c=c) for c in STUDY.cells for seed in STUDY.seeds_of(c)]


def variant_files(name, *operations):
    """A file of every variant that one of these operations makes, in every seed; engines share it."""
    made = STUDY.made_by(*operations)
    cells = [c for c in STUDY.cells if c.variant in made]
    return list(dict.fromkeys(f"{MADE}/{name}".format(seed=seed, c=c) for c in cells for seed in STUDY.seeds_of(c)))


def predicted_files(name):
    """A file of every assessed cell and seed that an engine predicts; given scores are read, not predicted."""
    return [file for file in cell_files(name) if Path(file).parts[-2] != GIVEN]


def report_files():
    """Reports of the steps that wrote a model."""
    reports = [("export.json", EXPORTED), *((file, [o.name]) for o in OPERATIONS.values() for file in o.reports)]
    return [path for file, operations in reports for path in variant_files(file, *operations)]


def shipped_files():
    """The exported files of every variant and seed, one seed of which ships; given scores have none."""
    return variant_files("model.onnx", *SHIPPED)


def comparison_files(name):
    """A file of every comparison over seeds."""
    pattern = "<results>/compared/{dataset}/{augmentation}/{model}/{engine}"
    return [f"{pattern}/{name}".format(**c) for c in STUDY.comparisons]


def compared_predictions(wildcards):
    """Predictions of everything that one comparison looks at, in the order of `STUDY.compared`."""
    cells = STUDY.compared(**wildcards)
    return [f"{MADE}/{{c.engine}}/predictions.parquet".format(seed=seed, c=cell) for seed, cell in cells]


def predictions_with_baselines(wildcards):
    """The same, with the baselines that have another augmentation, in the order of `STUDY.with_baselines`."""
    cells = STUDY.with_baselines(**wildcards)
    return [f"{MADE}/{{c.engine}}/predictions.parquet".format(seed=seed, c=cell) for seed, cell in cells]


def usage_files():
    """Resource usage of all steps that lead to the summaries."""
    files = []
    for dataset in STUDY.datasets:
        files.append(f"<results>/data/{dataset}/card.usage.json")
        files += [
            f"<results>/data/{dataset}/raw-usage/{file}.fetch.usage.json"
            for file in config["datasets"][dataset]["files"]
        ]
        files.append(f"<results>/data/{dataset}/read.usage.json")
    for c in STUDY.cells:
        for seed in STUDY.seeds_of(c):
            files.append(f"<results>/seed-{seed}/{c.dataset}/split.usage.json")
            if c.engine != GIVEN:
                files.append(f"<results>/seed-{seed}/{c.dataset}/{c.augmentation}/augment.usage.json")
    for operation in SHIPPED:
        files += variant_files(f"{operation}.usage.json", operation)
    files += variant_files("export.usage.json", *EXPORTED)
    files += predicted_files("predict.usage.json")
    files += [f for f in cell_files("predict_given.usage.json") if Path(f).parts[-2] == GIVEN]
    files += cell_files("assess.usage.json")
    files += comparison_files("compare.usage.json") + comparison_files("discover.usage.json")
    files += ["<results>/profile/{dataset}/{model}/{engine}.profile.usage.json".format(**p) for p in STUDY.profiles]
    return list(dict.fromkeys(files))


def hourly_file():
    """The file of hourly carbon intensities, if the study uses them."""
    hourly = any(config["energy"][key] is not None for key in HOURLY)
    return "<results>/summary/intensity.csv" if hourly else []


def outputs_of(*steps):
    """What these rules write, without the resource usage of the step itself."""
    return [file for step in steps for name, file in step.output.items() if name != "usage"]

# every table that report, article and cards are made from
