"""After the clock went back, files of the future are dated back in their order, or refused with what to do."""

import os
import time

import pytest

from fairweight.core.errors import InputError
from fairweight.study.file_times import check_times, date_back

HOUR = 3600


def dated(folder, **seconds):
    for name, after in seconds.items():
        path = folder / name
        path.write_text(name)
        os.utime(path, (time.time() + after,) * 2)


def in_order(folder):
    return sorted((path.name for path in folder.iterdir()), key=lambda name: (folder / name).stat().st_mtime_ns)


def test_files_of_the_future_keep_their_order_and_stay_after_all_others(tmp_path):
    dated(tmp_path, a=-HOUR, b=-5, c=0.9 * HOUR, d=HOUR, e=2 * HOUR)
    os.utime(tmp_path / "d", ns=((tmp_path / "e").stat().st_mtime_ns,) * 2)  # equal times stay equal
    assert date_back(tmp_path) == 3
    assert in_order(tmp_path)[:3] == ["a", "b", "c"]
    assert (tmp_path / "c").stat().st_mtime < (tmp_path / "d").stat().st_mtime == (tmp_path / "e").stat().st_mtime
    assert (tmp_path / "e").stat().st_mtime <= time.time()
    assert date_back(tmp_path) == 0
    check_times(str(path) for path in tmp_path.iterdir())


@pytest.mark.parametrize("ages", [{}, {"a": -1}, {"a": 0.5}])
def test_a_folder_without_files_of_the_future_is_left_alone(tmp_path, ages):
    dated(tmp_path, **ages)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert date_back(tmp_path) == 0 and date_back(tmp_path / "absent") == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_only_files_of_the_future_and_files_made_just_now(tmp_path):
    dated(tmp_path, a=HOUR, b=2 * HOUR)
    assert date_back(tmp_path) == 2 and in_order(tmp_path) == ["a", "b"]
    dated(tmp_path, now=0, later=HOUR)
    assert date_back(tmp_path) == 1 and in_order(tmp_path) == ["a", "b", "now", "later"]
    check_times(str(path) for path in tmp_path.iterdir())


def test_an_input_of_the_future_is_refused_with_what_to_do(tmp_path):
    dated(tmp_path, people=HOUR)
    with pytest.raises(InputError) as caught:
        check_times([str(tmp_path / "absent"), str(tmp_path / "people")])
    assert "people is dated 20" in str(caught.value) and "'touch'; nothing was started" in str(caught.value)
