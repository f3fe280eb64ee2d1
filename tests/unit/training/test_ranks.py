"""Ranks: the same bytes for any number of them, also from a forked process; a lost one ends the run."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from studies import tiny
from tables import pictures, tabular
from trained_study import RECIPE, Study

from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.study.schema import resolve
from fairweight.study.study import Study as StudyFile
from fairweight.training import training_loop
from fairweight.training.micro_batches import MicroBatches
from fairweight.training.model import Model
from fairweight.training.training_data import TrainingData

LENET = {"architecture": "lenet5"}
REWEIGHED = {"method": "reweighing", "attribute": "part"}


def trained(study, ranks, **changes):
    study.train(threads=ranks, micro_batch_size=12, epochs=2, **changes)
    return Path(study.path("dense.st")).read_bytes(), Path(study.path("dense.json")).read_bytes()


FORKED = """
import json, os, sys
from fairweight.training.train import train
if not (child := os.fork()):
    train(**json.loads(sys.argv[1]))
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""


def trained_in_a_fork(study, ranks, **changes):
    """Train in a fork of a process that has imported torch, as the Dask executor runs jobs."""
    paths = {"model": study.path("forked.st"), "about": study.path("f.json"), "curve": study.path("f.parquet")}
    arguments = {"recipe": RECIPE | {"micro_batch_size": 12, "epochs": 2} | changes, "seed": 0, "replicate": 0}
    arguments |= {**study.data, **paths, "architecture": study.architecture, "threads": ranks}
    subprocess.run([sys.executable, "-c", FORKED, json.dumps(arguments)], check=True, timeout=100)
    return Path(paths["model"]).read_bytes()


def test_bytes_are_equal_for_any_number_of_ranks(tmp_path):
    study = Study(tmp_path, tabular())
    expected = trained(study, 1, objective=REWEIGHED)
    assert trained(study, 4, objective=REWEIGHED) == expected
    assert trained_in_a_fork(study, 2, objective=REWEIGHED) == expected[0]
    # a variant that trains further sums the same micro-batches in one process
    assert study.prune(epochs=1, micro_batch_size=12).body


def test_images_and_another_memory_format(tmp_path):
    study = Study(tmp_path, pictures(), LENET)
    assert trained(study, 2) == trained(study, 1)


def test_the_sum_of_the_gradients_is_the_gradient_of_the_batch(tmp_path):
    study = Study(tmp_path, tabular())
    data = TrainingData.read(*study.data.values())
    model = Model({"signature": data.signature().to_dict(), "architecture": study.architecture})
    data.fit(model.encoder)
    rows, _ = data.encoded(model)
    rows.weights[::3] = 2.5
    batch = torch.arange(40)
    number, size = 4, sum(p.numel() for p in model.body.parameters())
    work = MicroBatches(model.body, model.encoder, rows, 12, False, torch.empty(number, size), torch.empty(number))
    loss, parameters = work.backward(batch), list(model.body.parameters())
    losses = torch.nn.functional.cross_entropy(model.body(rows.at(batch)), rows.labels[batch], reduction="none")
    whole = (losses * rows.weights[batch]).sum() / rows.weights[batch].sum()
    assert loss == pytest.approx(whole.item(), rel=1e-6)
    for parameter, expected in zip(parameters, torch.autograd.grad(whole, parameters), strict=True):
        assert torch.allclose(parameter.grad, expected, rtol=1e-5, atol=1e-7)


def test_a_lost_rank_ends_the_run_and_no_rank_listens(tmp_path, monkeypatch):
    study, ranks, times, evaluate = Study(tmp_path, tabular()), [], [], training_loop.evaluate
    others = set(psutil.Process().children())  # such as a process that an earlier test has left for later ones

    def lose(*arguments):
        if not ranks:
            ranks.extend(child for child in psutil.Process().children() if child not in others)
            listening = [c for rank in ranks for c in rank.net_connections(kind="inet")]
            assert len(ranks) == 2 and not listening
            ranks[1].send_signal(signal.SIGKILL)
            times.append(time.perf_counter())
        return evaluate(*arguments)

    monkeypatch.setattr(training_loop, "evaluate", lose)
    with pytest.raises(InputError, match=r"rank 2 of 3, counted from 0, ended before the training \(signal SIGKILL"):
        trained(study, 3)
    assert time.perf_counter() - times[0] < 10
    assert set(psutil.Process().children()) <= others and not Path(study.path("dense.st")).exists()


REFUSED = {
    "objective": ({"objective": {"method": "group_dro", "attribute": "sex"}}, "mean cross-entropy with fixed weights"),
    "adapt": ({"adapt": "frozen"}, "ranks train all weights"),
    "batch": ({"batch_size": 8}, "is larger than batch_size, 8"),
    "lbfgs": ({"optimizer": "lbfgs"}, "optimizer 'lbfgs' has no mini-batches"),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_micro_batches_is_refused(changes, message):
    study = tiny(training__standard__micro_batch_size=16, **{f"training__standard__{k}": v for k, v in changes.items()})
    with pytest.raises(InputError) as error:
        StudyFile(resolve(study))
    assert message in str(error.value) and str(error.value).startswith("training: standard: micro_batch_size: ")


def test_an_architecture_must_say_that_it_treats_rows_alone(monkeypatch):
    study, literal = tiny(training__standard__micro_batch_size=16), components.literal
    StudyFile(resolve(study))
    monkeypatch.setattr(components, "literal", lambda *name: None if name[1:] == ("mlp", "ROWWISE") else literal(*name))
    with pytest.raises(InputError, match=r"'mlp' does not say .* or use one of: lenet5, lenet_300_100, logistic_reg"):
        StudyFile(resolve(study))
