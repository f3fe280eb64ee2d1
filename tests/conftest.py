"""How the tests are spread over processes (`pytest -n 2 --dist loadscope --no-loadscope-reorder`)."""

import functools
import signal
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

import fairweight  # noqa: F401 - before a test imports a package that reports its use

# the long ones first, so that no process is left alone with one at the end
FOLDERS = ("executor", "workflow", "contract", "unit", "lint")
FILES = ("test_paper", "test_tutorial")
ROOT = Path(__file__).parents[1]

# a shell starts what runs in the background with Ctrl-C ignored, which the processes that tests interrupt would inherit
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    """In several processes, begin with the long tests."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: (_place(FOLDERS, item.path.parent.name), _place(FILES, item.path.stem)))


def _place(order, name):
    return order.index(name) if name in order else len(order)


class Together(LoadScopeScheduling):
    """Tests that share what a fixture of their module makes are run by one process, all others one by one.

    The marks `xdist_group` of pytest-xdist 3.8 do nothing with pytest 9: it writes them into an attribute that is no
    longer read.
    """

    def _split_scope(self, nodeid):
        file = nodeid.partition("::")[0]
        # the executor's tests mostly wait; the studies that run meanwhile in the other process take both cores
        if file.startswith("tests/executor/"):
            return "executor"
        return file if _shares(file) else nodeid


@functools.cache
def _shares(file):
    return '(scope="module"' in (ROOT / file).read_text(encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """The scheduler for `--dist loadscope`."""
    return Together(config, log) if config.getvalue("dist") == "loadscope" else None
