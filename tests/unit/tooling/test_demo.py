# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo's own list of writes: it is what the array's counters are held against."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts" / "demo"))

from ledger import EXTENT, Ledger, Write

SIZE = 16 * EXTENT


def test_an_extent_that_is_written_twice_counts_once():
    ledger = Ledger({"tv": SIZE}, seed=1)
    ledger._writes += [Write("tv", 0, 4096), Write("tv", EXTENT - 4096, 4096), Write("tv", 5 * EXTENT, 4096)]
    assert ledger.changed("tv", 0, ledger.mark()) == 2 * EXTENT


def test_a_write_over_a_border_counts_both_extents():
    ledger = Ledger({"tv": SIZE}, seed=1)
    ledger._writes.append(Write("tv", EXTENT - 1, 2))
    assert ledger.changed("tv", 0, 1) == 2 * EXTENT


def test_only_writes_between_the_marks_and_on_that_volume_count():
    ledger = Ledger({"tv": SIZE, "other": SIZE}, seed=1)
    ledger.fill("tv")
    since = ledger.mark()
    ledger.scatter("other", 5)
    assert ledger.changed("tv", since, ledger.mark()) == 0
    ledger.run("tv", EXTENT, step=EXTENT)
    assert EXTENT <= ledger.changed("tv", since, ledger.mark()) <= 2 * EXTENT


def test_the_checksum_is_that_of_what_was_written():
    ledger = Ledger({"tv": SIZE}, seed=1)
    image = bytearray(SIZE)
    for offset, data in ledger.fill("tv") + ledger.scatter("tv", 9) + ledger.run("tv", 4 * EXTENT):
        image[offset : offset + len(data)] = data
    assert ledger.sha256("tv") == hashlib.sha256(image).hexdigest()
