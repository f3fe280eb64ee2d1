"""How the tests are spread over processes (`pytest -n 2 --dist loadgroup`)."""

import pytest

# the long ones first, so that no process is left alone with one at the end
FOLDERS = ("workflow", "executor", "contract", "unit", "lint")
FILES = ("test_paper", "test_tutorial")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(config, items):
    """Keep tests that share what a module's fixture makes in one process; another one would make it once more."""
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        shared = [d for of in item._fixtureinfo.name2fixturedefs.values() for d in of if d.scope == "module"]
        if shared and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=lambda item: (_place(FOLDERS, item.path.parent.name), _place(FILES, item.path.stem)))


def _place(order, name):
    return order.index(name) if name in order else len(order)
