from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest

from service.api.access.reloaded import Reloaded
from service.errors import SettingsError
from tests.service.access.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "number"
    path.write_text("1")
    return path


def number_in(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: no number") from error


def test_a_changed_file_is_read_again(path: Path, clock: Clock) -> None:
    number = Reloaded(lambda: number_in(path), [path], clock)
    assert number.get() == 1
    path.write_text("22")
    clock.now += 1
    assert number.get() == 22


def test_files_are_looked_at_once_a_second(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    number = Reloaded(lambda: number_in(path), [path], clock)
    path.write_text("22")
    clock.now += 0.9
    assert number.get() == 1
    clock.now += 0.1
    assert number.get() == 22
    looks = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda name: looks.append(name) or stat(name))  # type: ignore[func-returns-value]
    for _ in range(10):
        number.get()
    assert looks == []
    clock.now += 1
    for _ in range(10):
        number.get()
    assert looks == [path]


def test_what_has_not_changed_is_not_made_again(path: Path, clock: Clock) -> None:
    values = Reloaded(object, [path], clock)
    value = values.get()
    clock.now += 5
    assert values.get() is value


def test_any_of_several_files_counts(path: Path, tmp_path: Path, clock: Clock) -> None:
    other = tmp_path / "other"
    other.write_text("5")
    total = Reloaded(lambda: number_in(path) + number_in(other), [path, other], clock)
    assert total.get() == 6
    other.write_text("50")
    clock.now += 1
    assert total.get() == 51


@pytest.mark.parametrize("how", ["time", "size", "inode"])
def test_time_size_and_inode_each_tell_of_a_change(path: Path, clock: Clock, how: str) -> None:
    os.utime(path, ns=(0, 0))
    values = Reloaded(object, [path], clock)
    value = values.get()
    if how == "time":
        os.utime(path, ns=(0, 1))
    elif how == "size":
        path.write_text("22")
        os.utime(path, ns=(0, 0))
    else:
        copy = path.with_name("copy")
        copy.write_text("2")
        os.utime(copy, ns=(0, 0))
        copy.replace(path)
    clock.now += 1
    assert values.get() is not value


def test_a_swapped_link_is_a_change_as_in_kubernetes(tmp_path: Path, clock: Clock) -> None:
    for name, content in (("old", "1"), ("new", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "number").write_text(content)
        os.utime(tmp_path / name / "number", ns=(0, 0))
    (tmp_path / "..data").symlink_to("old")
    path = tmp_path / "number"
    path.symlink_to(Path("..data", "number"))
    number = Reloaded(lambda: number_in(path), [path], clock)
    assert number.get() == 1
    (tmp_path / "..next").symlink_to("new")
    (tmp_path / "..next").replace(tmp_path / "..data")
    clock.now += 1
    assert number.get() == 2


def test_a_failure_keeps_the_old_value_and_is_logged_once(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    number = Reloaded(lambda: number_in(path), [path], clock)
    path.write_text("many")
    for _ in range(3):
        clock.now += 1
        assert number.get() == 1
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.ERROR
    assert f"{path}: no number" in caplog.text
    assert "Traceback" not in caplog.text
    path.unlink()
    clock.now += 1
    assert number.get() == 1
    assert len(caplog.records) == 2
    path.write_text("3")
    clock.now += 1
    assert number.get() == 3


def test_a_mistake_in_the_program_keeps_the_old_value_too(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    quotient = Reloaded(lambda: 1 // number_in(path), [path], clock)
    path.write_text("00")
    clock.now += 1
    assert quotient.get() == 1
    assert "Traceback" in caplog.text


def test_the_first_failure_is_raised(path: Path) -> None:
    path.write_text("many")
    with pytest.raises(SettingsError, match="no number"):
        Reloaded(lambda: number_in(path), [path])


def test_what_changes_while_it_is_read_is_read_again(path: Path, clock: Clock) -> None:
    def read_slowly() -> int:
        number = number_in(path)
        path.write_text("333")
        return number

    number = Reloaded(read_slowly, [path], clock)
    assert number.get() == 1
    clock.now += 1
    assert number.get() == 333


def test_threads_that_ask_together_make_it_once(path: Path, clock: Clock) -> None:
    made = []
    number = Reloaded(lambda: made.append(1) or number_in(path), [path], clock)  # type: ignore[func-returns-value]
    path.write_text("22")
    clock.now += 1
    start, seen = threading.Barrier(8), []

    def ask() -> None:
        start.wait()
        seen.append(number.get())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [22] * 8
    assert len(made) == 2
