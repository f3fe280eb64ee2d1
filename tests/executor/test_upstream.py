"""Some workflows of Snakemake's own tests; `upstream.py` runs all of them and explains each difference."""

import pytest
import upstream

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.skipif(upstream.checkout() is None, reason=f"{upstream.VARIABLE} names no checkout of Snakemake"),
]


@pytest.mark.parametrize(
    "name", ["test01", "test_checkpoints", "test_shadow", "test_temp", "test_wrapper", "test_pipes"]
)
def test_the_outcome_is_that_of_the_local_executor(name):
    kind, text = upstream.Comparison(upstream.checkout(), None).compare(name)
    assert kind != "ours", text
