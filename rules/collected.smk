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


def summarized_steps():
    """(rule, wildcards) of every step that leads to the summaries, some of them several times."""
    for dataset in STUDY.datasets:
        yield "card", {"dataset": dataset}
        yield from (("fetch", {"dataset": dataset, "file": file}) for file in config["datasets"][dataset]["files"])
        yield "read", {"dataset": dataset}
    cells = [(c, vars(c) | {"seed": seed}) for c in STUDY.cells for seed in STUDY.seeds_of(c)]
    for c, place in cells:
        yield "split", place
        if c.engine != GIVEN:
            yield "augment", place
    for operations, name in [*(((name,), name) for name in SHIPPED), (EXPORTED, "export")]:
        made = STUDY.made_by(*operations)
        yield from ((name, place) for c, place in cells if c.variant in made)
    yield from (("predict", place) for c, place in cells if c.engine != GIVEN)
    yield from (("predict_given", place) for c, place in cells if c.engine == GIVEN)
    yield from (("assess", place) for _, place in cells)
    yield from (("simple_model", {"dataset": dataset, "seed": 0}) for dataset in LABELLED)
    yield from ((name, place) for name in ("compare", "discover") for place in STUDY.comparisons)
    yield from (("profile", place) for place in STUDY.profiles)


def examining_steps():
    """(rule, wildcards) of every step of the audit of membership, of explanations, and of rows that are generated."""
    places = [(c, vars(c) | {"seed": seed}) for seed, c in STUDY.audited]
    for c, place in places:
        yield from ((name, place) for name in ("split", "augment", "predict_pool"))
        yield STUDY.variants[c.variant].operation, place
        if c.variant in STUDY.made_by(*EXPORTED):
            yield "export", place
    if places:
        yield "audit", {}
    yield from (("explain", vars(c) | {"seed": seed}) for seed, c in STUDY.explained)
    if STUDY.explained:
        yield "compare_explanations", {}
    if STUDY.generated:
        yield "examine_made", {}


def steps():
    """(rule, wildcards) of every step of the study, some of them several times; `gate`, `paper` and so on are extra."""
    yield from summarized_steps()
    yield from examining_steps()
    if hourly_file():
        yield "gather_intensity", {}
    yield from ((name, {}) for name in ("power", "summarize", "decide", "life_cycle", "what_if", "provenance"))
    yield from (("render_notebook", {"concern": concern}) for concern in CONCERNS)
    yield from ((name, {}) for name in ("later_steps", "report"))


def usage_files():
    """Resource usage of all steps that lead to the summaries."""
    files = [getattr(rules, name).output.usage.format(**place) for name, place in summarized_steps()]
    return list(dict.fromkeys(files))


def written_files():
    """Every file that the steps of the study write, so that a study in which one is missing is not done."""
    files = [file.format(**place) for name, place in steps() for file in getattr(rules, name).output]
    return list(dict.fromkeys(files))


def missing_files():
    """Those of `written_files` that `all` has to ask for. A file that it asks for takes Snakemake a tenth of a
    millisecond; one that is there needs no asking, nor does a step that `summarize` asks for if it runs."""
    summarized = all(os.path.exists(file) for file in rules.summarize.output)
    asked = set() if summarized else set(usage_files())
    made = [[file.format(**place) for file in getattr(rules, name).output] for name, place in steps()]
    absent = {file for file in itertools.chain(*made) if not os.path.exists(file)}
    wanted = [file for files in made if not (asked & absent).intersection(files) for file in files if file in absent]
    return list(dict.fromkeys(wanted))


def hourly_file():
    """The file of hourly carbon intensities, if the study uses them."""
    hourly = any(config["energy"][key] is not None for key in HOURLY)
    return "<results>/summary/intensity.csv" if hourly else []


def with_places(examined):
    """Cell, seed and baseline of every file that is examined."""
    return [vars(c) | {"baseline": STUDY.baseline(c.variant), "seed": seed} for seed, c in examined]


def examined_tables():
    """Tables of the audit of membership, of explanations and of generated rows, if the study has them."""
    audited = ["privacy"] if STUDY.audited else []
    explained = ["reasons", "importances"] if STUDY.explained else []
    generated = ["made"] if STUDY.generated else []
    return [f"<results>/summary/{name}.parquet" for name in audited + explained + generated]


def generated_datasets():
    """Datasets for which an augmentation generates rows."""
    return sorted({dataset for dataset, _ in STUDY.generated})


def outputs_of(*steps):
    """What these rules write, without the resource usage of the step itself."""
    return [file for step in steps for name, file in step.output.items() if name != "usage"]

# every table that report, article and cards are made from
