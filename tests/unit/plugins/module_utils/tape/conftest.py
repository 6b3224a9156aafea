# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tape server for each test: over a library in a directory, or over the SCSI library of the tape bed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.eternus.backup.tests.unit.support.scsi_bed import bed_of
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import Bed


@pytest.fixture(params=[True, False], ids=["threads", "one core"])
def bed(request: pytest.FixtureRequest, tmp_path: Path) -> Bed:
    """Volumes and a library, with threads and as a plain loop."""
    return bed_of(tmp_path, threads=request.param)


@pytest.fixture
def plain(tmp_path: Path) -> Bed:
    """The same where the data path does not matter."""
    return bed_of(tmp_path, threads=False)
