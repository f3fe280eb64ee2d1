"""Values that a study file names mean values of the data: Booleans of YAML, and values that `merge` makes one group."""

import pandas as pd
import pytest
from dataset_recipes import dataset

from fairweight.core.artifacts import read_json, read_table
from fairweight.core.errors import InputError
from fairweight.core.yaml_file import parse_yaml
from fairweight.data.named_values import resolved
from fairweight.data.read import read
from fairweight.data.value_formats import PLAIN
from fairweight.reporting.hub import datacards
from fairweight.study.check_datasets import check_dataset

STATUS = ["A91", "A92", "A93", "A94", "A92", "A93"] * 10
READER = {"method": "delimited"}


def tables(tmp_path, frame, study="{}"):
    """(table, contents) of a frame; `study` is YAML of a dataset's keys."""
    frame.to_csv(tmp_path / "all", index=False)
    keys = {"inputs": {"numeric": ["age"]}, "target": {"column": "paid"}, "groups": {}, "reader": READER}
    recipe = dataset(**(keys | parse_yaml(study, "study.yaml")))
    outputs = str(tmp_path / "t.parquet"), str(tmp_path / "c.json")
    read({"all": str(tmp_path / "all")}, *outputs, name="d", recipe=recipe, given=[])
    return read_table(outputs[0]), read_json(outputs[1])


def people(**columns):
    return pd.DataFrame({"age": range(60), "status": STATUS, "paid": ["no", "no", "yes"] * 20} | columns)


def counts(table, attribute):
    levels = table.group_levels[attribute]
    return {level: int((table.groups[attribute] == code).sum()) for code, level in enumerate(levels)}


# ---- merge


def test_values_become_one_group_and_others_stay(tmp_path):
    study = "{groups: {sex: {column: status, merge: {male: [A91, A93, A94]}}}}"
    table, contents = tables(tmp_path, people(), study)
    assert counts(table, "sex") == {"A92": 20, "male": 40}
    assert [entry["group"] for entry in contents["groups"]["sex"]] == ["A92", "male"]


def test_an_input_keeps_the_values_that_a_group_merges(tmp_path):
    study = "{inputs: {categorical: [status]}, groups: {sex: {column: status, merge: {m: [A91, A93, A94], f: [A92]}}}}"
    table, contents = tables(tmp_path, people(), study)
    assert table.levels["status"] == ("A91", "A92", "A93", "A94") and counts(table, "sex") == {"f": 20, "m": 40}
    # the column itself may identify people, whatever the groups are
    assert contents["k_anonymity"]["k"] == 10


def test_a_group_may_have_the_name_of_one_of_its_values(tmp_path):
    frame = people(status=["F", "f", "Female", "M", "m", "F"] * 10)
    table, _ = tables(tmp_path, frame, "{groups: {sex: {column: status, merge: {F: [F, f, Female], M: [M, m]}}}}")
    assert counts(table, "sex") == {"F": 40, "M": 20}


def test_numbers_and_booleans_are_merged_however_they_are_written(tmp_path):
    frame = people(status=["1", "1.0", "2", "3", "3", "2"] * 10, flag=["yes", "no", "maybe"] * 20)
    study = "{groups: {kind: {column: status, merge: {low: [1, 2.0]}}, flag: {column: flag, merge: {sure: [yes, no]}}}}"
    table, _ = tables(tmp_path, frame, study)
    assert counts(table, "kind") == {"3": 20, "low": 40} and counts(table, "flag") == {"maybe": 20, "sure": 40}


def test_values_and_reference_are_those_after_the_merge(tmp_path):
    study = """{groups: {sex: {column: status, merge: {male: [A91, A93]}, values: [male, A92],
                               reference: {male: 0.5, A92: 0.5}}}}"""
    table, contents = tables(tmp_path, people(), study)
    assert counts(table, "sex") == {"male": 30, "A92": 20}
    assert [entry.get("reference") for entry in contents["groups"]["sex"]][:2] == [0.5, 0.5]


WRONG_MERGES = {
    "absent": ("{male: [A91, A9X]}", "groups: sex: merge: male: 'A9X' does not occur (did you mean"),
    "in two": ("{a: [A91, A92], b: [A92]}", "groups: sex: merge: 'A92' is in 'a' and in 'b'; remove it from one"),
    "a value that stays": ("{A92: [A91, A93]}", "merge: 'A92' is also a value of column 'status', and is not merged"),
    "everything": ("{all: [A91, A92, A93, A94]}", "groups: sex: has only the group all"),
}


@pytest.mark.parametrize("kind", WRONG_MERGES)
def test_a_merge_that_cannot_be_meant_is_one_sentence(tmp_path, kind):
    merge, sentence = WRONG_MERGES[kind]
    with pytest.raises(InputError) as caught:
        tables(tmp_path, people(), f"{{groups: {{sex: {{column: status, merge: {merge}}}}}}}")
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_one_number_in_two_groups_is_refused_although_it_is_written_in_two_ways(tmp_path):
    frame = people(status=["1", "1.0", "2", "3", "3", "2"] * 10)
    with pytest.raises(InputError, match="'1' is in 'a' and in 'b'"):
        tables(tmp_path, frame, "{groups: {sex: {column: status, merge: {a: [1], b: ['1.0']}}}}")


@pytest.mark.parametrize("other", ["bins: [30]", "file: all, ranges: {a: [0, 9], b: [10, 19]}"])
def test_a_merge_goes_with_the_values_of_a_column(other):
    column = "" if "ranges" in other else "column: age, "
    study = parse_yaml(f"{{groups: {{age: {{{column}merge: {{a: [x]}}, {other}}}}}}}", "study.yaml")
    with pytest.raises(InputError, match=r"merge: joins values of a column, and there are '(bins|ranges)'"):
        check_dataset("d", dataset(**study))


# ---- Booleans


@pytest.mark.parametrize("positive", ["yes", "Yes", "true", "on"])
@pytest.mark.parametrize("names", [("no", "yes"), ("No", "YES"), ("false", "true"), ("False", "True"), ("Off", "On")])
def test_a_positive_class_that_yaml_reads_as_a_boolean_is_the_class_of_the_file(tmp_path, positive, names):
    frame = people().replace({"paid": {"no": names[0], "yes": names[1]}})
    table, _ = tables(tmp_path, frame, f"{{target: {{column: paid, positive: {positive}}}}}")
    assert table.classes == names and table.label.tolist() == [0, 0, 1] * 20
    table, _ = tables(tmp_path, frame, "{target: {column: paid, positive: no}}")
    assert table.classes == names[::-1]


def test_labels_to_keep_values_and_shares_may_be_booleans(tmp_path):
    frame = people(paid=["no", "yes", "maybe"] * 20, member=["On", "Off", "unknown", "On"] * 15)
    study = """{target: {column: paid, only: [yes, no]},
                groups: {member: {column: member, values: [on, off], reference: {on: 0.7, no: 0.3}}}}"""
    table, contents = tables(tmp_path, frame, study)
    assert table.classes == ("no", "yes") and len(table) == 40 and contents["removed"] == {"with another label": 20}
    assert table.group_levels["member"] == ("On", "Off")
    shares = {entry["group"]: entry.get("reference") for entry in contents["groups"]["member"]}
    assert shares["On"] == 0.7 and shares["Off"] == 0.3


def test_shares_of_groups_that_are_numbers_need_no_quotes(tmp_path):
    frame = people(status=["1", "2", "2"] * 20)
    _, contents = tables(tmp_path, frame, "{groups: {s: {column: status, reference: {1: 0.25, 2: 0.75}}}}")
    assert [entry["reference"] for entry in contents["groups"]["s"]] == [0.25, 0.75]


WRONG_BOOLEANS = {
    "no such class": ("{target: {column: flag, positive: yes}}", "positive: true (as YAML reads true, yes, on without"),
    "no such label": ("{target: {column: flag, only: [no, '0']}}", "only: false (as YAML reads false, no, off without"),
    "two meanings": ("{target: {column: both, positive: yes}}", "may be 'on', 'yes'; put the one that is meant in"),
    "a share twice": ("{groups: {s: {column: flag, reference: {yes: 0.5, true: 0.5}}}}", "the key 'true' occurs twice"),
    "another key": ("{groups: {no: {column: flag}}}", "YAML reads the key 'no' as no text; put it in quotes"),
}


@pytest.mark.parametrize("kind", WRONG_BOOLEANS)
def test_a_boolean_that_means_no_value_is_one_sentence(tmp_path, kind):
    study, sentence = WRONG_BOOLEANS[kind]
    frame = people(flag=["0", "1", "1"] * 20, both=["on", "yes", "on"] * 20)
    with pytest.raises(InputError) as caught:
        tables(tmp_path, frame, study)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_a_word_in_quotes_is_the_value_itself():
    assert resolved("yes", ["yes", "on", "true"], PLAIN) == "yes"
    assert resolved("true", ["yes", "no"], PLAIN) == "yes" and resolved(1, ["1.0", "2"], PLAIN) == "1.0"


def test_data_cards_say_which_values_a_group_stands_for(tmp_path):
    study = "{groups: {sex: {column: status, merge: {male: [A91, A93, A94]}}, flag: {column: flag, merge: {x: [yes]}}}}"
    _, contents = tables(tmp_path, people(flag=["yes", "no", "no"] * 20), study)
    assert contents["merged"] == {"sex": {"male": ["A91", "A93", "A94"]}, "flag": {"x": ["yes"]}}
    _, plain = tables(tmp_path, people(), "{groups: {sex: {column: status}}}")
    assert "merged" not in plain
    card = {"groups": contents["groups"], "merged": contents["merged"]}
    assert "sex: male stands for A91, A93, A94." in datacards.groups(card)
