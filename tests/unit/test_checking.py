"""Checks of a file take what it has returned already, where running the first rows again would return the same."""

import pytest
from tables import tabular
from test_training import Study

from fairweight import running
from fairweight.checking import ROWS, check
from fairweight.feeding import Fed
from fairweight.shipped import read_signature


@pytest.mark.parametrize(("size", "again"), [(64, False), (256, False), (100, True), (400, True)])
def test_rows_are_run_again_only_where_the_calls_would_be_other_ones(tmp_path, size, again):
    study = Study(tmp_path, tabular(600))
    study.train(epochs=1)
    study.export()
    # whose results depend on the rows of the same call
    path, _ = study.quantize(method="dynamic", per_channel=True, reduce_range=False)
    run, calls = running.load("onnxruntime", path, threads=1), []

    def counted(feeds):
        calls.append(len(next(iter(feeds.values()))))
        return run(feeds)

    fed = Fed.of(read_signature(path), study.table)
    about = {"engine": "onnxruntime", "batch_size": size}
    found = check(path, counted, fed, fed.outputs(run, size), **about)
    assert sum(calls) == (2 * ROWS if again else ROWS) and calls.count(1) == ROWS
    some = Fed(fed.at(slice(0, ROWS)))
    assert found == check(path, run, some, some.outputs(run, size), **about)


def test_few_rows_may_be_asked_for(tmp_path):
    study = Study(tmp_path, tabular(100))
    study.train(epochs=1)
    path = study.export()
    run, fed = running.load("onnxruntime", path, threads=1), Fed.of(read_signature(path), study.table)
    found = check(path, run, fed, fed.outputs(run, 2), engine="onnxruntime", batch_size=2, rows=4)
    assert found["checked_rows"] == 4
