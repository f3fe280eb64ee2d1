"""A name of the study file that the data do not have is refused with the one that was probably meant."""

import pytest
from test_values import csv, read_files

from fairweight.core.errors import InputError

SEX = ["female", "male"] * 20
READER = {"method": "delimited"}
NAMES = {
    "a numeric input": (dict(inputs={"numeric": ["xx"]}), "column 'xx' is not in the data (did you mean 'x'?)"),
    "a categorical input": (dict(inputs={"categorical": ["Sex"]}), "'Sex' is not in the data (did you mean 'sex'?)"),
    "the target": (dict(target={"column": "Y"}), "target: column 'Y' is not in the data (did you mean 'y'?)"),
    "a group": (dict(groups={"s": {"column": "sexe"}}), "'sexe' is not in the data (did you mean 'sex'?)"),
    "the positive class": (dict(target={"column": "y", "positive": "Yes"}), "(did you mean 'yes'?); they are no, yes"),
    "the positive class in another language": (
        dict(target={"column": "y", "positive": "ja"}),
        "target: positive: 'ja' is not one of two classes; they are no, yes",
    ),
    "a label to keep": (dict(target={"column": "y", "only": ["yess", "no"]}), "(did you mean 'yes'?)"),
    "a value of a group": (
        dict(groups={"s": {"column": "sex", "values": ["femal", "male"]}}),
        "groups: s: values: 'femal' does not occur (did you mean 'female'?)",
    ),
    "a group of the population": (
        dict(groups={"s": {"column": "sex", "reference": {"Female": 0.5}}}),
        "groups: s: reference: 'Female' is not a group (did you mean 'female'?); there are: female, male",
    ),
    "a column to keep": (
        dict(reader={**READER, "keep": ["x", "y", "sexx"]}),
        "reader: keep: file 'all' has no column 'sexx' (did you mean 'sex'?)",
    ),
    "a file": (
        dict(reader={**READER, "skip_lines": {"al": 1}}),
        "reader: skip_lines: there is no file 'al' (did you mean 'all'?); there are all",
    ),
}


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_that_the_data_do_not_have_is_suggested(tmp_path, kind):
    changes, sentence = NAMES[kind]
    with pytest.raises(InputError) as caught:
        read_files(tmp_path, {"all": csv(x=range(40), sex=SEX)}, **changes)
    assert sentence in str(caught.value), str(caught.value)
    assert len(str(caught.value)) < 280
