# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The session of docs/tape.md restores a volume with the tools of the operating system alone."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.tests.unit.support.docs_session import session
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, SOURCE, Bed, noise

SIZE = 9 * MIB + 12345


def run(bed: Bed, target: Path, **more: str) -> str:
    """Run the session as it stands in the page."""
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "LIBRARY": bed.library.path, "TARGET": str(target), **more}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", session("directory")], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path, threads=False)


@pytest.mark.rule("R10.1")
def test_a_backup_over_two_cartridges_comes_back_by_the_session_of_the_docs(bed: Bed, tmp_path: Path) -> None:
    old, new = noise(SIZE, 1), noise(SIZE, 2)
    bed.cartridges("A1", "A2", "A3", capacity=14 * MIB)
    bed.volume(SOURCE, old)
    bed.write(SIZE, "A1", backup_id="OLD")
    bed.volume(SOURCE, new)
    sha256, parts = bed.write(SIZE, "A1", "A2", backup_id="NEW")
    assert len(parts) == 2
    target = tmp_path / "restored"
    for backup, data in (("OLD", old), ("NEW", new)):
        target.write_bytes(bytes(SIZE))
        told = run(bed, target, BACKUP=backup)
        assert target.read_bytes() == data
        assert f"{target}: OK" in told
    assert hashlib.sha256(new).hexdigest() == sha256


def test_the_session_passes_over_a_part_that_was_broken_off(bed: Bed, tmp_path: Path) -> None:
    bed.cartridges("A1", capacity=32 * MIB)
    bed.volume(SOURCE, noise(SIZE, 1))
    bed.write(SIZE, "A1", backup_id="OLD")
    bed.write(SIZE, "A1", backup_id="CUT")
    trailer = bed.file("A1", 6)
    trailer.unlink()
    target = tmp_path / "restored"
    target.write_bytes(bytes(SIZE))
    told = run(bed, target)
    assert "CUT" not in told
    assert target.read_bytes() == noise(SIZE, 1)


def test_a_trailer_that_was_broken_off_hides_none_of_those_before(bed: Bed, tmp_path: Path) -> None:
    bed.cartridges("A1", capacity=32 * MIB)
    bed.volume(SOURCE, noise(SIZE, 1))
    bed.write(SIZE, "A1", backup_id="OLD")
    bed.write(SIZE, "A1", backup_id="CUT")
    trailer = bed.file("A1", 6)
    trailer.write_bytes(trailer.read_bytes()[:200])
    target = tmp_path / "restored"
    target.write_bytes(bytes(SIZE))
    assert "OLD" in run(bed, target)
    assert target.read_bytes() == noise(SIZE, 1)
