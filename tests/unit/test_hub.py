"""Cards for a model hub: Markdown in which names are text, and legal names of repositories."""

import re

import numpy as np
import pandas as pd
import pytest
from hostile import NAMES
from huggingface_hub import DatasetCard, ModelCard
from huggingface_hub.utils import validate_repo_id
from markdown_it import MarkdownIt
from scipy import stats

from fairweight.hub import markdown
from fairweight.hub.datacards import licence_identifier
from fairweight.hub.evidence import _shares
from fairweight.hub.names import repository


def shown(text: str) -> list[str]:
    """Text of every inline piece, as a CommonMark reader with tables shows it; fails where it holds more than text."""
    pieces = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        if token.type == "inline":
            assert all(child.type in ("text", "softbreak") for child in token.children), token.children
            pieces.append("".join(child.content for child in token.children))
    return pieces


@pytest.mark.parametrize("kind", NAMES)
def test_names_come_out_as_text(kind):
    name = NAMES[kind]
    page = markdown.page(
        {"pretty_name": name}, {"Part": markdown.table(["A", "B"], [[markdown.escape(name)] * 2])}, name
    )
    assert shown(page.split("---\n", 2)[2]) == [name, "Part", "A", "B", name, name]
    assert shown(markdown.escape(name)) == [name]
    assert DatasetCard(page).data.pretty_name == name


def test_code_is_fenced_whatever_it_holds():
    tokens = MarkdownIt().parse(markdown.fenced("a\n```\nb\n````\n"))
    assert [t.type for t in tokens] == ["fence"] and tokens[0].content == "a\n```\nb\n````\n"


@pytest.mark.parametrize("name", [*NAMES.values(), "..", "a--b", "-", "ends-", "a.b", "x" * 95 + "."])
def test_repositories_have_legal_names_that_differ(name):
    found = [repository("study", name), repository("study", name + "!"), repository(name, "study")]
    for one in found:
        validate_repo_id(one)
        validate_repo_id(f"me/{one}"[:96].rstrip("-."))
    assert len(set(found)) == 3


def test_ordinary_names_stay_as_they_are():
    assert repository("default", "adult", "mlp", "pruned90_int8") == "default-adult-mlp-pruned90_int8"


def test_licences_have_the_hub_s_identifiers():
    found = [licence_identifier(text) for text in ("CC BY 4.0", "CC BY-SA 3.0", "MIT", None, "ask me")]
    assert found == ["cc-by-4.0", "cc-by-sa-3.0", "mit", "unknown", "other"]


def test_the_validator_would_find_a_broken_card():
    with pytest.raises(Exception, match=r"model-index|EvalResult|results|name"):
        _ = ModelCard("---\nmodel-index:\n- results: 3\n---\n").data.eval_results[0]
    assert re.match("---\n", markdown.page({}, {}, "x"))


def seeds(*values, rows=100):
    return pd.DataFrame({"value": values, "denominator": rows, "attribute": None, "group": None})


def test_the_interval_of_one_seed_is_that_of_its_rows():
    found = next(iter(_shares(seeds(0.8))))
    low, high = stats.t.interval(0.95, 99, loc=0.8, scale=np.sqrt(0.8 * 0.2 / 100))
    assert (found.low, found.high) == pytest.approx((low, high)) and found.sd is None


def test_the_interval_covers_new_seeds_and_new_rows():
    """Oracle: a population whose accuracy is known, of which seeds and rows are drawn anew."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(400):
        shift, hard = rng.normal(0, 0.02, 5), rng.normal(size=300)
        right = hard[None, :] + rng.normal(size=(5, 300)) < stats.norm.ppf(np.clip(0.8 + shift, 0, 1))[
            :, None
        ] * np.sqrt(2)
        found = next(iter(_shares(seeds(*right.mean(axis=1), rows=300))))
        covered += found.low <= 0.8 <= found.high
    assert covered / 400 > 0.93


def test_of_a_share_of_one_no_interval_is_stated():
    assert next(iter(_shares(seeds(1.0, 1.0)))).low is None
