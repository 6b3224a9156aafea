# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exports that a fuzzer found: what no catalog can hold is refused before anything is touched (make fuzz)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_entry import WORK
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.tests.fuzz.catalog_import import Subject, sealed


@pytest.mark.parametrize("character", [b"\\ud800", b"\\u0000"])
def test_an_export_with_a_character_that_no_database_keeps_is_refused(tmp_path: Path, character: bytes) -> None:
    (tmp_path / "seeds").mkdir()
    whole = Subject().seeds(tmp_path / "seeds")["3"]
    (tmp_path / "export").write_bytes(sealed(whole.replace(b'"vol10"', b'"vol' + character + b'"')))
    options = {"catalog_url": f"sqlite:///{tmp_path}/catalog.db", "path": str(tmp_path / "export")}
    with pytest.raises(BackupError) as caught:
        WORK["imported"]({**options, "force": False, "trust": True}, check_mode=False)
    assert caught.value.error_class is ErrorClass.INVALID_OPTION
    assert "no database keeps" in caught.value.message
