"""Keys of a dataset that contradict each other are refused before anything is read."""

import pytest
from studies import tiny

from fairweight.core.errors import InputError
from fairweight.data.counterfactual_terms import terms_file
from fairweight.study.schema import resolve
from fairweight.study.study import Study

MISTAKES = {
    "braces in a path": (
        {"files": {"all": {"sources": ["file:raw/{x}.csv"]}}},
        "files: all: 'raw/{x}.csv': Snakemake reads braces in a path as a wildcard; rename the file.",
    ),
    "a home folder of nobody": (
        {"files": {"all": {"sources": ["file:~no-such-user/x.csv"]}}},
        "files: all: '~no-such-user/x.csv': there is no such home folder",
    ),
    "the target as a category": (
        {"inputs": {"numeric": ["age"], "categorical": ["checking", "income"]}},
        "inputs: categorical: 'income' is the target",
    ),
    "the target as a number": ({"inputs": {"numeric": ["income"]}}, "inputs: numeric: 'income' is the target"),
    "the target as a text": ({"inputs": {"text": "income"}}, "inputs: text: 'income' is the target"),
    "two kinds of input": (
        {"inputs": {"numeric": ["age"], "categorical": ["age"]}},
        "'age' is both 'numeric' and 'categorical'",
    ),
    "two marks that are one": ({"decimal": ",", "thousands": ","}, "thousands: ',' is also the decimal mark"),
    "dates that nothing uses": ({"dates": {"joined": "iso"}}, "dates: 'joined' is neither a numeric input nor a group"),
    "a format without a day": ({"dates": {"age": "%Y-%m"}}, "dates: age: '%Y-%m' is no format of a whole date"),
    "a format of nothing": ({"dates": {"age": "dd.mm.yyyy"}}, "dates: age: 'dd.mm.yyyy' is no format of a whole date"),
    "a format that strptime refuses": ({"dates": {"age": "%Y%m%d%Q"}}, "dates: age: '%Y%m%d%Q' is no format"),
}


def study(**changes):
    return Study(resolve(tiny(**{f"datasets__adult__{key}": value for key, value in changes.items()})))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_contradiction_is_refused_in_one_sentence(mistake):
    changes, message = MISTAKES[mistake]
    with pytest.raises(InputError) as caught:
        study(**changes)
    assert str(caught.value).startswith("datasets: adult: ") and message in str(caught.value)


@pytest.mark.parametrize("form", ["iso", "%d.%m.%Y", "%Y%m%d", "%d %B %Y", "%m/%d/%y", "%Y-%m-%d %H:%M"])
def test_formats_of_whole_dates_are_legal(form):
    study(dates={"age": form}, decimal=",", thousands=".")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"energy__hourly": "hours{x}.csv"}, "energy: hourly: 'hours{x}.csv': Snakemake reads braces"),
        ({"models__mlp__folder": "{x}"}, "models: mlp: folder: '{x}': Snakemake reads braces"),
        (
            {"models__mlp__sources": ["file:~no-such-user/x#y"]},
            "models: mlp: sources: '~no-such-user/x': there is no such",
        ),
    ],
)
def test_paths_that_become_inputs_of_rules_are_checked(changes, place):
    config = resolve(tiny())
    for path, value in changes.items():
        node = config
        for key in path.split("__")[:-1]:
            node = node[key]
        node[path.split("__")[-1]] = value
    with pytest.raises(InputError) as caught:
        Study(config)
    assert place in str(caught.value)


def test_the_path_of_a_list_of_terms_has_no_braces(tmp_path):
    (tmp_path / "{x}.yaml").write_text("words: {a: {x: [b], y: [c]}}")
    with pytest.raises(InputError, match="Snakemake reads braces in a path as a wildcard"):
        terms_file(str(tmp_path / "{x}.yaml"))
