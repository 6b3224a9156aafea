# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What make tape-test makes of a guest's console and of pytest's report."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "scripts" / "tape_bed"))

import boot
import tape_test

CASES = """<testsuites><testsuite>
<testcase classname="a.b" name="one"/><testcase classname="a.b" name="two"><failure/></testcase>
<testcase classname="a.b" name="three"><skipped message="tgt keeps images"/></testcase>
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("console", "killed", "status", "output"),
    [
        ("noise\r\nTAPE-BED-BEGIN\r\nhello\nTAPE-BED-END 3\nPower down", False, 3, "hello"),
        ("TAPE-BED-BEGIN\nhello", True, boot.TIME_LIMIT, "hello"),
        ("TAPE-BED-BEGIN\nhello", False, boot.NO_WORD, "hello"),
        ("Kernel panic", False, boot.NOT_UP, ""),
    ],
)
def test_the_status_is_the_commands_or_says_why_there_is_none(
    console: str, killed: bool, status: int, output: str
) -> None:
    ended = boot._ended(console, killed)
    assert (ended.status, ended.output) == (status, output)


def test_only_what_a_strangers_target_cannot_do_is_no_failure(tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    junit.write_text(CASES)
    stranger = tape_test.count(tape_test.Suite("tgt", "tgt", ""), junit, 1)
    assert (stranger.passed, stranger.failures) == (1, ["b::two"])
    assert stranger.unable == {"b::three": "tgt keeps images"}
    own = tape_test.count(tape_test.Suite("own", "own", ""), junit, 1)
    assert own.failures == ["b::two", "b::three"]


def test_a_guest_that_ends_without_a_report_is_a_failure(tmp_path: Path) -> None:
    counted = tape_test.count(tape_test.Suite("own", "own", ""), tmp_path / "none.xml", boot.NOT_UP)
    assert counted.failures == ["own: the guest ended with 96"]
    assert not counted.passed
