# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ten thousand volumes: no thread and no open file for each, made and listed at once."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

from eternus_sim.core.array import SimArray


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_ten_thousand_volumes_cost_no_thread_no_open_file_and_no_disk(tmp_path):
    array = SimArray(tmp_path / "array")
    threads, files = threading.active_count(), open_files()
    array.create_volumes([(f"v{n}", 1 << 30) for n in range(10_000)], "TPP0004")
    assert threading.active_count() <= threads
    assert open_files() <= files  # fewer when the collector closes what other tests left
    assert len(list((tmp_path / "array" / "by-id").iterdir())) == 10_000
    some = array.volume("v1234")
    assert (some.size, some.path.stat().st_blocks) == (1 << 30, 0)
    other = array.volume("v1235")
    array.write(some.device_id, 1 << 29, b"x")
    array.start_sessions([(some.device_id, other.device_id)], 6)
    assert array.wait_for(lambda: array.session(some.device_id, other.device_id).copy_state == 4, 60)
    assert other.path.stat().st_blocks * 512 <= 1 << 20  # holes stay holes
    array.close()
    again = SimArray(tmp_path / "array")
    assert len(again.volumes) == 10_000
    again.close()


def test_files_are_for_the_owner_only(tmp_path):
    old = os.umask(0)
    try:
        array = SimArray(tmp_path / "array")
        tv, bv = (v.device_id for v in array.create_volumes([("tv", 1 << 20), ("bv", 1 << 20)], "TPP0004"))
        array.start_sessions([(tv, bv)], 6)
        array.close()
    finally:
        os.umask(old)
    for path in [tmp_path / "array", *(tmp_path / "array").rglob("*")]:
        if not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
