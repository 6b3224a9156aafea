# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What progress looks like, and where it is a line or lines (toolchain.md, point 8)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.plugin_utils import _progress_view
from ansible_collections.eternus.backup.plugins.plugin_utils._moved import (
    Moved,
    Track,
    amount,
    clock_face,
    moved_by_copies,
    moved_by_restores,
)
from ansible_collections.eternus.backup.plugins.plugin_utils._progress_view import Bar, Lines, on_terminal, view_of

GB = 10**9


class Screen:
    """Display.display, written down: one string, as a terminal or a file gets it."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self, msg: str, *, newline: bool = True, screen_only: bool = False) -> None:
        self.text += msg + ("\n" if newline else "")


def oradata(done: int, total: int = 4 * GB, key: str = "B1/1", volume: str = "oradata") -> Moved:
    return Moved(key, volume, done, total)


def test_bytes_are_told_in_the_unit_of_the_total() -> None:
    assert amount(1_200_000_000, 4 * GB) == "1.2 of 4.0 GB"
    assert amount(0, 25_165_824) == "0.0 of 25.2 MB"
    assert amount(5, 512) == "5 of 512 bytes"
    assert clock_face(3665.9) == "1:01:05"


@given(st.integers(min_value=0), st.integers(min_value=0))
def test_a_percentage_is_never_beyond_0_and_100(done: int, total: int) -> None:
    assert 0 <= oradata(done, total).percent <= 100


def test_what_did_not_move_since_the_first_look_is_not_shown() -> None:
    track = Track()
    assert track.moving([oradata(GB)], 0) == []
    assert track.moving([oradata(GB)], 5) == []
    assert track.moving([oradata(2 * GB)], 10) == [oradata(2 * GB)]


def test_what_begins_after_the_first_look_is_shown_at_once() -> None:
    track = Track()
    assert track.moving([], 0) == []
    assert track.moving([oradata(0)], 5) == [oradata(0)]


def test_the_rate_and_the_time_left_are_those_of_the_last_minute() -> None:
    track = Track()
    track.moving([], 0)
    for second in range(0, 120, 10):
        slow, fast = min(second, 40), max(0, second - 40)
        moved = oradata(slow * 10**6 + fast * 20 * 10**6)
        track.moving([moved], second)
    assert track.rate(moved) == 20 * 10**6
    assert track.figures(moved) == "1.4 of 4.0 GB, 36 %, 20 MB/s, 0:02:08 left"


def test_a_copy_that_is_begun_anew_has_no_rate_until_it_moves() -> None:
    track = Track()
    track.moving([], 0)
    track.moving([oradata(GB)], 1)
    track.moving([oradata(2 * GB)], 2)
    track.moving([oradata(0)], 3)
    assert track.rate(oradata(0)) == 0
    assert track.figures(oradata(0)) == "0.0 of 4.0 GB, 0 %"


def test_on_a_terminal_one_line_is_redrawn() -> None:
    screen, track = Screen(), Track()
    line = Bar(screen, "tape01 tape_copy", 120)
    for elapsed, found in ((1, []), (2, [oradata(0)]), (4, [oradata(2 * GB)])):
        line.show(track.moving(found, elapsed), track, elapsed)
    line.close()
    assert screen.text.count("\n") == 1
    assert screen.text.split("\r")[1].rstrip() == "tape01 tape_copy 0:00:01"
    assert screen.text.split("\r")[-1] == (
        "oradata [##########..........] 2.0 of 4.0 GB, 50 %, 1000 MB/s, 0:00:02 left\n"
    )


def test_the_line_never_wraps_and_leaves_nothing_of_a_longer_one() -> None:
    screen, track = Screen(), Track()
    line = Bar(screen, "", 30)
    track.moving([], 0)
    line.show(track.moving([oradata(GB, volume="a-very-long-name-of-a-volume")], 1), track, 1)
    line.show([], track, 2)
    drawn = screen.text.split("\r")[1:]
    assert [len(line) for line in drawn] == [29, 29]


def test_several_copies_share_the_bar() -> None:
    screen, track = Screen(), Track()
    Bar(screen, "", 100).show([oradata(GB), oradata(3 * GB, key="B2/1", volume="redolog")], track, 1)
    assert screen.text.rstrip() == "\roradata, redolog [##########..........] 50 %".rstrip()


def test_a_bar_that_was_never_drawn_leaves_no_line() -> None:
    screen = Screen()
    Bar(screen, "", 100).close()
    assert not screen.text


def test_elsewhere_there_is_a_line_for_each_tenth_and_each_half_minute() -> None:
    screen, track = Screen(), Track()
    lines = Lines(screen, "tape01 tape_copy")
    track.moving([], 0)
    for second in range(1, 101):
        lines.show(track.moving([oradata(second * GB // 25)], second), track, second)
    lines.close()
    assert [line.split(", ")[1] for line in screen.text.splitlines()] == [f"{tenth} %" for tenth in range(10, 101, 10)]
    slow = Screen()
    lines, track = Lines(slow, "tape01 tape_copy"), Track()
    for second in range(100):
        lines.show([], track, second)
    assert slow.text.splitlines() == [f"tape01 tape_copy {clock_face(at)}" for at in (30, 60, 90)]


@pytest.mark.parametrize(
    ("hosts", "terminal", "kind"), [(1, True, Bar), (0, True, Bar), (2, True, Lines), (1, False, Lines)]
)
def test_there_is_a_bar_for_one_host_on_a_terminal_only(hosts: int, terminal: bool, kind: type) -> None:
    assert isinstance(view_of(Screen(), "", 80, hosts, lambda: terminal), kind)


@pytest.mark.parametrize("name", ["AWX_ISOLATED_DATA_DIR", "ANSIBLE_STDOUT_CALLBACK"])
def test_towers_pseudo_terminal_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(_progress_view, "IMPORTED_ON_TTY", True)
    assert on_terminal()
    monkeypatch.setenv(name, "awx_display")
    assert not on_terminal()


def test_only_tape_copies_of_what_runs_are_shown() -> None:
    copy: dict[str, Any] = {
        "kind": "tape", "source": "oradata", "backup_id": "B1", "copy": 2, "bytes_done": 1, "bytes_total": 4,
    }  # fmt: skip
    assert moved_by_copies({"running": [{"kind": "copy", "source": "x"}, copy]}) == (Moved("B1/2", "oradata", 1, 4),)
    assert moved_by_copies({}) == ()


def test_a_restore_is_as_far_as_its_targets_marker_says() -> None:
    reason = "a restore from tape runs, 1048576 of 4194304 bytes (25 %), or was broken off"
    rows: list[dict[str, Any]] = [
        {"volume": "oradata", "undefined": {"since": "", "reason": reason}},
        {"volume": "redolog", "undefined": {"since": "", "reason": "a restore failed"}},
        {"volume": "undo", "undefined": None},
    ]
    assert moved_by_restores({"volumes": rows}) == (Moved("oradata", "oradata", 1048576, 4194304),)


def test_a_line_reaches_a_log_file_when_it_is_told(tmp_path: Path) -> None:
    log = tmp_path / "nightly.log"
    program = f"import os, {_progress_view.__name__}; print('4.2 of 25.2 MB'); os._exit(0)"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with log.open("w") as file:
        subprocess.run(
            [sys.executable, "-c", program],
            stdout=file,
            check=True,
            env={**buffered, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    assert log.read_text() == "4.2 of 25.2 MB\n"
