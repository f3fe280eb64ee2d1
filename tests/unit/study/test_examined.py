"""Which models and variants the audit of membership and explanations look at."""

import pytest

from fairweight.core.errors import InputError
from fairweight.study.examined import FIRST_SHADOW
from fairweight.study.schema import resolve
from fairweight.study.study import Study

STUDY = {
    "name": "s",
    "datasets": {
        "d": {
            "title": "D",
            "reader": {"method": "delimited"},
            "files": {"table": {"sources": ["https://example.org/d.csv"], "sha256": "0" * 64}},
            "target": {"column": "y"},
            "inputs": {"numeric": ["x"]},
            "split": {"test": 0.25, "validation": 0.2},
        }
    },
    "models": {"m": {"architecture": "mlp"}},
    "training": {"standard": {"epochs": 1}},
    "engines": ["onnxruntime", "torch_eager"],
    "variants": {
        "dense": {"train": "standard"},
        "int8": {"from": "dense", "quantize": "dynamic"},
        "half": {"from": "dense", "quantize": "float16"},
    },
    "grid": [{"dataset": "d", "models": ["m"], "variants": ["int8", "half"]}],
}


def audited_study(**audit):
    return Study(resolve(STUDY | {"privacy_audit": {"shadows": 8} | audit}))


def test_every_variant_is_attacked_in_one_engine_by_seeds_of_its_own():
    audited = audited_study().audited
    assert {seed for seed, _ in audited} == set(range(FIRST_SHADOW, FIRST_SHADOW + 8))
    assert {(cell.variant, cell.engine) for _, cell in audited} == {
        (name, "onnxruntime") for name in ("dense", "int8", "half")
    }


def test_a_chosen_variant_is_attacked_beside_its_baseline():
    assert {cell.variant for _, cell in audited_study(variants=["int8"]).audited} == {"dense", "int8"}


def test_half_of_the_pool_trains_a_model_of_the_audit():
    audit = audited_study()
    assert audit.split_recipe("d", 0) == {"test": 0.25, "validation": 0.2}
    assert audit.split_recipe("d", FIRST_SHADOW + 3) == {"test": 0.25, "validation": 0.5}


def test_a_study_without_an_audit_has_none():
    assert Study(resolve(dict(STUDY))).audited == []


def test_an_unknown_variant_is_refused():
    with pytest.raises(InputError, match="privacy_audit: variants: 'int9' is not a variant"):
        audited_study(variants=["int9"])


def test_a_study_in_which_nothing_can_be_audited_is_refused():
    scores = {
        "datasets": {"d": STUDY["datasets"]["d"] | {"split": {"test": "all"}, "inputs": {}}},
        "variants": {"score": {"given": {"column": "s", "above": 0.5}}},
        "grid": [{"dataset": "d", "variants": ["score"]}],
    }
    with pytest.raises(InputError, match="no variant can be audited"):
        Study(resolve(STUDY | scores | {"privacy_audit": {}}))


def test_every_seed_of_every_file_is_explained_in_one_engine():
    explained = Study(resolve(STUDY | {"seeds": 3, "explain": {"variants": ["half"]}})).explained
    assert [(seed, cell.variant) for seed, cell in explained] == [(s, v) for v in ("dense", "half") for s in range(3)]
    assert {cell.engine for _, cell in explained} == {"onnxruntime"}


def test_texts_are_not_explained():
    texts = {"datasets": {"d": STUDY["datasets"]["d"] | {"inputs": {"text": "x"}}}}
    texts["models"] = {"m": {"architecture": "tfidf_logistic"}}
    with pytest.raises(InputError, match="no variant can be explained: of each one, it has no file, or its dataset"):
        Study(resolve(STUDY | texts | {"explain": {}}))
