"""Methods that break a promise do not pass the checks that every method has to pass."""

import cheats
import promises
import pytest

from fairweight.core.errors import InputError

BROKEN = (AssertionError, InputError)  # a check of the contract, or one that every run makes

PRUNING = {
    "prunes_half_of_what_it_states": (
        {"sparsity": 0.7},
        "the file that ships does not have the sparsity of the options",
    ),
    "prunes_nothing": ({"sparsity": 0.7}, "removes nothing of this network"),
    "cuts_no_channel": ({"channels": 0.5}, "removes nothing of this network"),
    "writes_zeros_instead_of_cutting": ({"channels": 0.5}, "the network is not smaller"),
}


@pytest.mark.parametrize("name", PRUNING)
def test_a_pruner_that_misses_the_sparsity_of_its_options(name, tmp_path):
    study = promises.trained("lenet_300_100", tmp_path)
    options, message = PRUNING[name]
    with pytest.raises(BROKEN, match=message):
        promises.pruning(study, f"cheats:{name}", options)


def test_a_pruner_that_is_not_repeatable(tmp_path):
    study, drawn = (
        promises.trained("lenet_300_100", tmp_path),
        ("cheats:draws_differently_each_time", {"sparsity": 0.3}),
    )
    pruned = promises.pruning(study, *drawn)  # it keeps all other promises
    with pytest.raises(BROKEN, match="differs the second time"):
        promises.repeatable(study, pruned, *drawn)


SILENT = "the report does not name all layers that are left in float"
QUANTIZATION = {
    "leaves_the_last_layer_in_float": ("int8", SILENT),
    "leaves_all_but_the_largest_layer_in_float": ("int8", SILENT),
    "stores_integers_and_multiplies_floats": ("int8", SILENT),
    "rounds_weights_and_keeps_them_as_float32": ("int8", "left everything in float32"),
    "quantizes_weights_of_one_layer_only": ("weights only", "layers that could be narrow are left in float"),
    "halves_the_last_layer_only": ("half", "weights are left in float32"),
    "forgets_what_was_learned": ("int8", "predictions are lost"),
}


@pytest.mark.parametrize("architecture", ["lenet_300_100", "lenet5"])
@pytest.mark.parametrize("name", QUANTIZATION)
def test_a_quantizer_that_does_not_do_what_it_reports(name, architecture, tmp_path):
    kind, message = QUANTIZATION[name]
    study = promises.trained(architecture, tmp_path)
    with pytest.raises(BROKEN, match=message):
        promises.quantization(study, f"cheats:{name}", {}, kind)


def test_pairs_around_all_layers_but_one(tmp_path):
    study = promises.trained("lenet5", tmp_path)
    with pytest.raises(BROKEN, match="layers are left in float"):
        promises.quantization(study, "cheats:leaves_the_last_layer_in_float", {}, "pairs")


ENCODING = {
    "keeps_codebooks_in_memory": "the coded file alone cannot be decoded",
    "writes_indices_to_another_file": "the coded file alone cannot be decoded: the decoder opened",
    "fills_zeros": "are not zero after decoding",
    "stores_floats_as_they_are": "the file is not smaller",
}


@pytest.mark.parametrize("name", ENCODING)
def test_a_coding_that_does_not_count_all_or_changes_zeros(name, tmp_path):
    study = promises.trained("lenet5", tmp_path)
    study.prune(epochs=1, sparsity=0.9)
    with pytest.raises(BROKEN, match=ENCODING[name]):
        promises.encoding(study, f"cheats:{name}", {}, "pruned")


@pytest.mark.parametrize(
    ("factorize", "message"),
    [(cheats.factors_of_full_rank, "more numbers"), (cheats.factors_of_rank_one, "far from the weights")],
)
def test_factors_that_are_not_fewer_numbers_or_not_near(factorize, message):
    with pytest.raises(BROKEN, match=message):
        promises.factorization(factorize)


def test_a_distillation_without_a_teacher():
    with pytest.raises(BROKEN, match="the loss is not lower for a student that equals its teacher"):
        promises.distillation(cheats.ignores_the_teacher)
