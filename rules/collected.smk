# Files of the whole study, which rules collect.

MADE = "<results>/seed-{seed}/{c.dataset}/{c.augmentation}/{c.model}/{c.variant}"


def of_cells(name):
    """A file of every assessed cell and seed."""
    return [f"{MADE}/{{c.engine}}/{name}".format(seed=seed, c=c) for c in STUDY.cells for seed in STUDY.seeds_of(c)]


def of_made(name, *operations):
    """A file of every variant, made by one of these operations, in every seed; engines share it."""
    made = STUDY.made_by(*operations)
    cells = [c for c in STUDY.cells if c.variant in made]
    return list(dict.fromkeys(f"{MADE}/{name}".format(seed=seed, c=c) for c in cells for seed in STUDY.seeds_of(c)))


def of_predicted(name):
    """A file of every assessed cell and seed that an engine predicts; given scores are read, not predicted."""
    return [file for file in of_cells(name) if Path(file).parts[-2] != GIVEN]


def of_reports():
    """What the steps that wrote a model checked of it."""
    reports = [("export.json", EXPORTED), *((file, [o.name]) for o in OPERATIONS.values() for file in o.reports)]
    return [path for file, operations in reports for path in of_made(file, *operations)]


def first_files():
    """The file of the first seed of everything that ships; given scores have none."""
    return [file for file in of_made("model.onnx", *SHIPPED) if "seed-0" in Path(file).parts]


def of_comparisons(name):
    """A file of every comparison over seeds."""
    pattern = "<results>/compared/{dataset}/{augmentation}/{model}/{engine}"
    return [f"{pattern}/{name}".format(**c) for c in STUDY.comparisons]


def usage_files():
    """Resource usage of all steps that lead to the summaries."""
    found = []
    for dataset in STUDY.datasets:
        found.append(f"<results>/data/{dataset}/card.usage.json")
        found += [
            f"<results>/data/{dataset}/raw-usage/{file}.fetch.usage.json"
            for file in config["datasets"][dataset]["files"]
        ]
        found.append(f"<results>/data/{dataset}/read.usage.json")
    for c in STUDY.cells:
        for seed in STUDY.seeds_of(c):
            found.append(f"<results>/seed-{seed}/{c.dataset}/split.usage.json")
            if c.engine != GIVEN:
                found.append(f"<results>/seed-{seed}/{c.dataset}/{c.augmentation}/augment.usage.json")
    for operation in SHIPPED:
        found += of_made(f"{operation}.usage.json", operation)
    found += of_made("export.usage.json", *EXPORTED)
    found += of_predicted("predict.usage.json")
    found += [f for f in of_cells("predict_given.usage.json") if Path(f).parts[-2] == GIVEN]
    found += of_cells("assess.usage.json")
    found += of_comparisons("compare.usage.json") + of_comparisons("discover.usage.json")
    found += ["<results>/profile/{dataset}/{model}/{engine}.profile.usage.json".format(**p) for p in STUDY.profiles]
    return list(dict.fromkeys(found))
