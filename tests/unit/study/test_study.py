"""Mistakes in a study file are reported in one sentence that names the key and what is legal."""

import pytest
import yaml
from studies import DELETE, tiny

from fairweight.core.components import WORKFLOW as ROOT
from fairweight.core.errors import InputError
from fairweight.study.folders import logs_folder, results_folder
from fairweight.study.schema import resolve
from fairweight.study.study import Cell, Study, alternation

PRUNE = {"method": "global_magnitude", "sparsity": 0.5}

MISTAKES = {
    "scheduler without a port": (dict(partitions={"scheduler": "tcp://host"}), ["partitions: scheduler", "tcp://host"]),
    "newer version": (dict(version=2, kind="x"), ["version: 2 is newer than this fairweight, which reads 1; upgrade"]),
    "no version": (dict(version=1.0), ["version: 1.0 is not a whole number", "; write 1."]),
    "version zero": (dict(version=0), ["version: 0 is out of range; it is at least 1"]),
    "misspelt key": (dict(seedz=3), ["'seedz'", "did you mean 'seeds'", "legal keys"]),
    "misspelt key below": (
        dict(datasets__adult__tarjet={}),
        ["datasets: adult", "'tarjet'", "did you mean 'target'"],
    ),
    "misspelt option": (
        dict(variants__pruned50__prune={"method": "global_magnitude", "sparsty": 0.5}),
        ["variants: pruned50: prune", "'sparsty'", "'sparsity'"],
    ),
    "option missing": (
        dict(variants__pruned50__prune={"method": "global_magnitude"}),
        ["variants: pruned50: prune", "'sparsity' is missing"],
    ),
    "unknown method": (
        dict(variants__pruned50__prune={"method": "global_magnitud"}),
        ["variants: pruned50: prune", "did you mean 'global_magnitude'"],
    ),
    "unknown reader": (dict(datasets__adult__reader="csv"), ["datasets: adult: reader", "delimited, idx, libsvm"]),
    "unknown engine": (dict(engines=["onnx"]), ["engines", "onnxruntime"]),
    "unknown module": (dict(augmentations__balanced={"method": "nowhere:f"}), ["augmentations: balanced", "nowhere"]),
    "wrong type": (dict(seeds="two"), ["seeds: 'two' is not a whole number of at least 1", "; write how many seeds"]),
    "a float for an integer": (dict(seeds=2.0), ["seeds: 2.0 is not a whole number", "; write 2."]),
    "not finite": (dict(variants__pruned50__prune={**PRUNE, "sparsity": float("nan")}), ["sparsity", "nan", "number"]),
    "name with a line break": (dict(name="tiny\n"), ["name", "names become folders"]),
    "no seed": (dict(seeds=0), ["seeds: 0 is out of range; it is at least 1"]),
    "key missing": (dict(datasets__adult__target=DELETE), ["datasets: adult", "'target' is missing"]),
    "unsafe name": (dict(datasets={"../x": {}}), ["'../x'", "names become folders"]),
    "unsafe study name": (dict(name="a/b"), ["name", "'a/b'", "names become folders"]),
    "hidden name": (dict(name=".."), ["name", "names become folders"]),
    "unknown parent": (dict(variants__int8__from="dens"), ["variants: int8: from", "'dens'", "dense, pruned50, int8"]),
    "circle": (
        dict(
            variants__a={"from": "b", "prune": PRUNE},
            variants__b={"from": "a", "prune": PRUNE},
        ),
        ["circle", "a -> b -> a"],
    ),
    "two operations": (dict(variants__dense__prune=PRUNE), ["variants: dense", "train and prune", "exactly one"]),
    "no operation": (dict(variants__int8={"from": "dense"}), ["variants: int8", "no operation"]),
    "no parent": (dict(variants__int8={"quantize": "auto"}), ["variants: int8", "'from'"]),
    "unknown recipe": (dict(variants__dense={"train": "hard"}), ["variants: dense: train", "'hard'", "standard"]),
    "grid: dataset": (
        dict(grid=[{"dataset": "adlt", "models": ["mlp"], "variants": ["dense"]}]),
        ["grid: entry 1: dataset", "'adlt'", "adult"],
    ),
    "grid: model": (
        dict(grid=[{"dataset": "adult", "models": ["cnn"], "variants": ["dense"]}]),
        ["grid: entry 1: models", "'cnn'", "mlp"],
    ),
    "grid: variant": (
        dict(grid=[{"dataset": "adult", "models": ["mlp"], "variants": ["int4"]}]),
        ["grid: entry 1: variants", "'int4'", "int8"],
    ),
    "grid: no model": (
        dict(grid=[{"dataset": "adult", "variants": ["dense"]}]),
        ["grid: entry 1", "'models' is empty"],
    ),
    "download without checksum": (
        dict(datasets__adult__files__train__sha256=None),
        ["datasets: adult: files: train", "'sha256' is missing"],
    ),
    "unknown scheme": (
        dict(datasets__adult__files__train__sources=["ftp:x"]),
        ["datasets: adult: files: train", "'ftp'", "https"],
    ),
    "identifier used": (dict(datasets__adult__drop=["age"]), ["datasets: adult: drop", "'age'"]),
    "repeated rows without inputs": (
        dict(datasets__adult__inputs={}, datasets__adult__repeated="remove"),
        ["datasets: adult: repeated", "there are none"],
    ),
    "no official test file": (
        dict(datasets__adult__files={"all": {"sources": ["file:x.csv"]}}),
        ["datasets: adult: split", "'official'", "share"],
    ),
    "nothing left to train": (dict(datasets__adult__split={"test": "all"}), ["datasets: adult: split", "'all'"]),
    "no inputs": (dict(datasets__adult__inputs={}), ["datasets: adult: inputs", "empty"]),
    "compared with nothing": (dict(variants__dense__against="plain"), ["variants: dense: against", "'plain'", "dense"]),
    "compared with a compressed variant": (
        dict(variants__fair={"train": "standard", "against": "int8"}),
        ["variants: fair: against", "'int8'", "trained"],
    ),
    "mitigation of an unknown attribute": (
        dict(training__standard__objective={"method": "reweighing", "attribute": "gender"}),
        ["training: standard: objective: attribute", "'gender'", "sex, age"],
    ),
    "mitigation that cannot ship": (
        dict(training__standard__objective={"method": "exponentiated_gradient", "attribute": "sex"}),
        ["training: standard: objective", "not exportable", "group_dro"],
    ),
    "thresholds of an unknown attribute": (
        dict(
            variants__fair={"from": "int8", "adjust": {"method": "threshold_optimizer", "attribute": "gender"}},
            grid=[{"dataset": "adult", "models": ["mlp"], "variants": ["fair"]}],
        ),
        ["variants: fair: adjust: attribute", "'gender'", "sex, age"],
    ),
    "thresholds before quantization": (
        dict(
            variants__fair={"from": "dense", "adjust": {"method": "threshold_optimizer", "attribute": "sex"}},
            variants__int8__from="fair",
        ),
        ["variants: int8: from", "'fair' is made by 'adjust'"],
    ),
    "ceiling of two kinds": (
        dict(criteria={"ceilings": {"size_bytes": {"at_most": 1, "at_most_of_baseline": 1}}}),
        ["criteria: ceilings: size_bytes", "one of 'at_most' and 'at_most_of_baseline'"],
    ),
    "margin of nothing": (dict(criteria={"margins": {"accuracy": 0}}), ["criteria: margins: accuracy", "0"]),
    "margins in percent": (
        dict(criteria={"margins": {"accuracy": 1, "group_accuracy": 2, "fairness_gap": 5}}),
        ["criteria: margins: ", "it is above 0 and below 1: 1 is 100 points; write 0.01 for 1 point."],
    ),
    "a margin of five": (
        dict(criteria={"margins": {"fairness_gap": 5}}),
        ["criteria: margins: fairness_gap: 5 is out of range", "5 is 500 points; write 0.05 for 5 points."],
    ),
    "a margin of group rates in percent": (
        dict(criteria={"margins": {"group_rates": 2.5}}),
        ["criteria: margins: group_rates: 2.5", "write 0.025 for 2.5 points."],
    ),
    "a margin of the worst group in percent": (
        dict(criteria={"margins": {"worst_group_accuracy": 2}}),
        ["criteria: margins: worst_group_accuracy: 2", "write 0.02 for 2 points."],
    ),
    "churn in percent": (
        dict(criteria={"power": {"churn": 1}}),
        ["criteria: power: churn: 1 is out of range", "below 1: it is a share; write 0.01 for 1 %."],
    ),
    "deviation in percent": (dict(criteria={"power": {"seed_sd": 1}}), ["criteria: power: seed_sd: 1", "0.01 for 1 %"]),
    "power in percent": (dict(criteria={"power": {"probability": 80}}), ["probability: 80", "write 0.8 for 80 %"]),
    "error rate in percent": (dict(criteria={"error_rate": 5}), ["criteria: error_rate: 5", "write 0.05 for 5 %."]),
    "sparsity in percent": (
        dict(variants__pruned50__prune={**PRUNE, "sparsity": 50}),
        ["variants: pruned50: prune: sparsity: 50 is out of range", "write 0.5 for 50 %."],
    ),
    "test rows in percent": (
        dict(datasets__adult__split={"test": 20}),
        ["datasets: adult: split: test: 20 is out of range", "write 0.2 for 20 %."],
    ),
    "validation rows in percent": (
        dict(datasets__adult__split={"validation": 10}),
        ["split: validation: 10 is out of range", "write 0.1 for 10 %."],
    ),
    "shares of groups in percent": (
        dict(datasets__adult__groups={"sex": {"column": "sex", "reference": {"Male": 48, "Female": 0.52}}}),
        ["groups: sex: reference: Male: 48 is out of range", "write 0.48 for 48 %."],
    ),
    "a ceiling in percent": (
        dict(criteria={"ceilings": {"size_bytes": {"at_most_of_baseline": 50}}}),
        ["ceilings: size_bytes: at_most_of_baseline: 50", "write 0.5 for 50 %."],
    ),
    "a tolerance is no share": (
        dict(training__standard__tolerance=2),
        ["training: standard: tolerance: 2 is out of range; it is above 0 and at most 1."],
    ),
    "gate of an unknown variant": (dict(criteria={"variant": "int4"}), ["criteria: variant", "'int4'", "int8"]),
    "criteria of an unknown attribute": (
        dict(criteria={"attributes": ["gender"]}),
        ["criteria: attributes", "'gender'", "age, sex"],
    ),
    "one value of a sweep out of range": (
        dict(variants__pruned50__prune={"method": "global_magnitude", "sparsity": [0.5, 1.0]}),
        ["variants: pruned50_1.0: prune: sparsity", "1.0"],
    ),
    "a student without an architecture": (
        dict(variants__pruned50={"from": "dense", "distill": {"method": "soft_labels"}}),
        ["variants: pruned50: distill", "'student' is missing"],
    ),
    "a narrow network of an architecture without width": (
        dict(
            models__mlp={"architecture": "logistic_regression"},
            variants__dense={"train": "standard", "parameters": 0.5},
        ),
        ["variants: dense: parameters", "logistic_regression", "'width_factor'"],
    ),
    "parameters of a pruned variant": (
        dict(variants__pruned50={"from": "dense", "prune": PRUNE, "parameters": 0.5}),
        ["variants: pruned50: 'parameters' goes with 'train' only"],
    ),
    "group of nothing": (dict(datasets__adult__groups={"sex": {}}), ["groups: sex", "'column'"]),
    "a billion seeds": (dict(seeds=10**9), ["seeds: 1000000000 is out of range; it is at least 1 and at most 1,000"]),
    "a number that overflows": (dict(seeds=10**400), ["seeds", "a number is larger than 1e+18"]),
    "grid of no list": (dict(grid=5), ["grid: 5 is not a list; write each entry after '- '."]),
    "a word that YAML reads as true": (
        dict(datasets__adult__title=True),
        [
            "datasets: adult: title: true is not text or null",
            "YAML reads yes, no",
            "put the word in quotes",
        ],
    ),
    "a number for a text": (dict(datasets__adult__title=5), ["title: 5 is not text or null; put it in quotes."]),
    "a number that YAML reads as text": (
        dict(training__standard__learning_rate="1e-3"),
        ["training: standard: learning_rate", "YAML reads it as text: write 1.0e-3"],
    ),
    "a key that is no text": (
        dict(datasets__adult__groups={True: {"column": "sex"}}),
        ["datasets: adult: groups: the key True is no text; put it in quotes"],
    ),
    "a control character": (dict(datasets__adult__title="a\0b"), ["title: 'a\\x00b'", "U+0000"]),
    "letters of two scripts": (
        dict(models={"m\u0430p": {"architecture": "mlp"}}),
        ["models: 'm\u0430p' ('m\\u0430p') has letters of several scripts (cyrillic, latin)"],
    ),
    "a name that looks like another one": (
        dict(models={"cop": {"architecture": "mlp"}, "\u0441\u043e\u0440": {"architecture": "mlp"}}),
        ["looks like 'cop'; rename one of them"],
    ),
    "letters in a special form": (
        dict(models={"\uff4dlp": {"architecture": "mlp"}}),
        ["has letters in a special form; write 'mlp'"],
    ),
    "a direction mark in a name": (dict(name="a\u202eb"), ["name: 'a\\u202eb' is not a legal name"]),
    "a variant twice": (
        dict(
            variants__swept={"from": "dense", "prune": {"method": "global_magnitude", "sparsity": [0.5, 0.9]}},
            **{"variants__swept_0.5": {"from": "dense", "quantize": "auto"}},
        ),
        ["variants: 'swept_0.5' is one of the variants that the list of 'swept' stands for"],
    ),
    "a list in a circle": (
        dict(variants__a={"from": "a", "prune": {"method": "global_magnitude", "sparsity": [0.5]}}),
        ["variants: 'a_0.5", "check that 'from' does not go in a circle"],
    ),
    "lists on lists": (
        dict(
            variants__a={"from": "dense", "prune": {**PRUNE, "sparsity": [i / 100 for i in range(1, 99)]}},
            variants__b={"from": "a", "prune": {**PRUNE, "sparsity": [i / 100 for i in range(1, 99)]}},
        ),
        ["the lists stand for over 2,000 variants"],
    ),
    "a variant twice in the grid": (
        dict(grid=[{"dataset": "adult", "models": ["mlp"], "variants": ["int8", "dense", "int8"]}]),
        ["variants: 'int8' occurs twice; remove one of them"],
    ),
    "a misspelt variant in the grid": (
        dict(grid=[{"dataset": "adult", "models": ["mlp"], "variants": ["prune50"]}]),
        ["grid: entry 1: variants: 'prune50' is not a variant", "did you mean 'pruned50'?"],
    ),
    "a long lineage": (
        dict(**{f"variants__v{i}": {"from": f"v{i - 1}" if i else "dense", "prune": PRUNE} for i in range(60)}),
        ["has over 50 ancestors"],
    ),
    "a path in the home of nobody": (
        dict(datasets__adult__counterfactuals="~nobody-here/terms.yaml"),
        ["datasets: adult: counterfactuals"],
    ),
    "a module with a name too long": (
        dict(augmentations__balanced={"method": f"{'a' * 300}:f"}),
        ["augmentations: balanced", "no module 'aaa"],
    ),
    "a module that is a path": (
        dict(augmentations__balanced={"method": "../x:f"}),
        ["is not of the form 'module:call"],
    ),
    "results in a home": (dict(pathvars={"results": "~/out"}), ["pathvars: results: '~/out' is not a legal folder"]),
    "results over the run": (
        dict(pathvars={"results": ".."}),
        ["pathvars: results: '..' contains the folder of the run; name one of its own"],
    ),
    "results in the run itself": (dict(pathvars={"results": "results/.."}), ["contains the folder of the run"]),
    "results like an option": (dict(pathvars={"results": "-rf"}), ["'-rf' is not a legal folder"]),
    "results of a line break": (dict(pathvars={"results": "a\nb"}), ["is not a legal folder"]),
    "an unknown path": (dict(pathvars={"result": "out"}), ["pathvars", "'result'", "did you mean 'results'?"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_in_one_sentence(mistake):
    changes, parts = MISTAKES[mistake]
    with pytest.raises(InputError) as caught:
        Study(resolve(tiny(**changes)))
    message = str(caught.value)
    assert message.isprintable() and message.endswith((".", ")", "side", "?"))
    for part in parts:
        assert part in message


def test_the_default_study_has_the_size_that_the_readme_states():
    study = Study(resolve(yaml.safe_load((ROOT / "config/config.yaml").read_text())))
    assert study.datasets == ["adult", "mnist"]
    assert len(study.seeds) == 8
    assert len(study.cells) == 2 * 2 * 7
    assert study.largest_family("adult") == 4  # without the baseline, the replicate and the control


def test_a_variant_with_an_augmentation_is_compared_with_the_baseline_that_the_study_names():
    config = tiny(
        criteria={"against": "none"},
        grid=[{"dataset": "adult", "augmentations": ["none", "balanced"], "models": ["mlp"], "variants": ["int8"]}],
    )
    study = Study(resolve(config))
    place = {"dataset": "adult", "augmentation": "balanced", "model": "mlp", "engine": "onnxruntime"}
    cells = {(cell.augmentation, cell.variant): study.cell_baseline(cell) for _, cell in study.compared(**place)}
    assert {(b.augmentation, b.variant) for b in cells.values()} == {("none", "dense")}
    assert ("balanced", "dense") in cells and study.largest_family("adult") == 2
    extra = {(c.augmentation, c.variant) for _, c in study.with_baselines(**place)} - set(cells)
    assert extra == {("none", "dense")}
    same = Study(resolve(config | {"criteria": {"against": "same"}}))
    assert same.with_baselines(**place) == same.compared(**place) and same.largest_family("adult") == 1
    config["grid"][0]["augmentations"] = ["balanced"]
    with pytest.raises(InputError, match="criteria: against: 'none' compares with variant 'dense'"):
        Study(resolve(config))


def test_a_decision_is_about_a_profiled_batch_and_a_candidate():
    with pytest.raises(InputError, match="decision: batch: 7 is not profiled"):
        Study(resolve(tiny(decision={"batch": 7})))
    controlled = tiny(criteria={"variant": "pruned50"})
    controlled["variants"]["pruned50"]["control"] = True
    with pytest.raises(InputError, match="'pruned50' is a control"):
        Study(resolve(controlled))


def test_defaults_are_filled_in_and_the_file_is_left_alone():
    config = tiny()
    resolved = resolve(config)
    assert config == tiny()
    assert resolved["energy"]["watts_per_core"] == {"low": 4.4, "central": 7.5, "high": 15.6}
    assert resolved["variants"]["int8"]["quantize"] == {"method": "auto"}
    assert resolved["variants"]["dense"]["replicate"] == 0
    assert resolve(resolved) == resolved


def test_the_baseline_of_a_variant_is_in_the_grid():
    study = Study(resolve(tiny()))
    assert Cell("adult", "none", "mlp", "dense", "onnxruntime") in study.cells
    assert study.lineage("int8") == ["int8", "dense"]
    assert study.baseline("int8") == study.baseline("dense") == "dense"


def test_against_is_the_baseline_of_a_variant_and_its_descendants():
    variants = {"fair": {"train": "standard", "against": "dense"}, "fair8": {"from": "fair", "quantize": "auto"}}
    study = Study(resolve(tiny(**{f"variants__{k}": v for k, v in variants.items()})))
    assert study.baseline("fair") == study.baseline("fair8") == "dense"


def test_a_replicate_is_compared_with_the_first_of_its_recipe():
    study = Study(resolve(tiny(variants__again={"train": "standard", "replicate": 1})))
    assert study.baseline("again") == "dense"


def test_finetuning_inherits_the_recipe_of_the_root():
    study = Study(resolve(tiny()))
    assert study.training_recipe("pruned50") == study.config["training"]["standard"] | {"epochs": 1}


def test_an_alternation_matches_its_names_and_nothing_else():
    import re

    assert re.fullmatch(alternation(["a.b", "c"]), "a.b")
    assert not re.fullmatch(alternation(["a.b", "c"]), "axb")
    assert not re.match(alternation([]), "")


def test_a_list_of_sparsities_is_a_sweep_and_so_are_the_variants_made_from_it():
    prune = {"method": "global_magnitude", "sparsity": [0.5, 0.9]}
    study = Study(
        resolve(
            tiny(
                variants__pruned50={"from": "dense", "prune": prune},
                variants__small={"from": "pruned50", "quantize": "auto"},
                grid=[{"dataset": "adult", "models": ["mlp"], "variants": ["small"]}],
            )
        )
    )
    assert study.lineage("small_0.9") == ["small_0.9", "pruned50_0.9", "dense"]
    assert {c.variant for c in study.cells} == {"dense", "pruned50_0.5", "pruned50_0.9", "small_0.5", "small_0.9"}
    assert study.variants["pruned50_0.9"].recipe["prune"]["sparsity"] == 0.9


def test_variants_that_an_engine_cannot_run_are_left_out_and_reported():
    study = Study(resolve(tiny(engines=["onnxruntime", "torch_eager"])))
    made = {(c.variant, c.engine) for c in study.cells}
    assert ("int8", "onnxruntime") in made and ("dense", "torch_eager") in made and ("int8", "torch_eager") not in made
    assert [(entry["engine"], entry["variant"]) for entry in study.left_out] == [("torch_eager", "int8")]


def test_a_grid_entry_may_have_fewer_seeds():
    study = Study(resolve(tiny(grid=[{"dataset": "adult", "models": ["mlp"], "variants": ["int8"], "seeds": 1}])))
    assert [study.seeds_of(c) for c in study.cells] == [[0]] * 2


def test_other_folders_are_decided_in_one_place():
    assert results_folder(resolve(tiny())) == "results/tiny" and logs_folder(resolve(tiny())) == "results/tiny/logs"
    moved = resolve(tiny(pathvars={"results": "../out"}))
    assert results_folder(moved) == "../out" and logs_folder(moved) == "../out/logs"
    assert logs_folder(resolve(tiny(pathvars={"logs": "/var/log/x"}))) == "/var/log/x"


def test_names_in_other_scripts_are_legal():
    names = ["größe", "модель", "モデル_small", "模型", "μodel"[1:], "نموذج"]
    study = resolve(tiny(models={name: {"architecture": "mlp"} for name in names} | {"mlp": {"architecture": "mlp"}}))
    assert list(study["models"]) == [*names, "mlp"]


def test_groups_that_no_criterion_could_be_about_are_refused():
    named = tiny()
    named["datasets"]["adult"]["groups"] = {"class": {"column": "sex"}}
    with pytest.raises(InputError, match="'class' stands for the classes of the label"):
        Study(resolve(named))
