# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changer by mtx: its words as they were recorded, its errors as named errors (tape.md, Two backends)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_changer import (
    Changer,
    Place,
    in_short,
    parse_status,
)

#: Of mtx 1.3.12 in the tape bed; the last two drives and slots as other libraries show them.
STATUS = """  Storage Changer /dev/sg0:4 Drives, 7 Slots ( 2 Import/Export )
Data Transfer Element 0:Full (Storage Element 1 Loaded):VolumeTag = BED001L8                        
Data Transfer Element 1:Empty
Data Transfer Element 2:Full (Unknown Storage Element Loaded):VolumeTag = BED009L8 :AlternateVolumeTag = X
Data Transfer Element 3:Full (Unknown Storage Element Loaded)
      Storage Element 1:Empty:VolumeTag=                                
      Storage Element 2:Full :VolumeTag=BED002L8                        
      Storage Element 3:Full 
      Storage Element 4:Full :VolumeTag=CLN001L1                        
      Storage Element 5:Empty
      Storage Element 6 IMPORT/EXPORT:Full :VolumeTag=BED003L8                        
      Storage Element 7 IMPORT/EXPORT:Empty:VolumeTag=                                
"""  # noqa: W291
REFUSED = """mtx: Request Sense: Long Report=yes
mtx: Request Sense: Valid Residual=yes
mtx: Request Sense: Error Code=70 (Current)
mtx: Request Sense: Sense Key=Illegal Request
mtx: Request Sense: FileMark=no
mtx: Request Sense: EOM=no
mtx: Request Sense: ILI=no
mtx: Request Sense: Residual = 00 00 00 00
mtx: Request Sense: Additional Sense Code = 53
mtx: Request Sense: Additional Sense Qualifier = 02
mtx: Request Sense: BPV=no
mtx: Request Sense: Error in CDB=no
mtx: Request Sense: SKSV=no
MOVE MEDIUM from Element Address 256 to 4096 Failed
"""


def test_status_tells_drives_slots_barcodes_and_where_a_cartridge_came_from() -> None:
    found = parse_status(STATUS)
    assert found.drives == (
        Place(0, True, "BED001L8", 1),
        Place(1, False),
        Place(2, True, "BED009L8"),
        Place(3, True),
    )
    assert [(slot.number, slot.barcode, slot.full) for slot in found.slots[:5]] == [
        (1, "", False), (2, "BED002L8", True), (3, "", True), (4, "CLN001L1", True), (5, "", False),
    ]  # fmt: skip
    assert [slot.name for slot in found.slots[4:]] == ["slot 5", "import/export slot 6", "import/export slot 7"]
    assert [slot.number for slot in found.empty(outside=False)] == [1, 5]
    assert [slot.number for slot in found.empty(outside=True)] == [7]


def test_what_mtx_says_of_a_failure_is_told_in_short() -> None:
    assert in_short(REFUSED) == "MOVE MEDIUM from Element Address 256 to 4096 Failed (Illegal Request, 53/02)"
    assert in_short("Destination Element Address 4098 is Already Full\n") == (
        "Destination Element Address 4098 is Already Full"
    )
    assert in_short("") == "nothing"


@pytest.mark.parametrize("device", ["/dev/null", "/dev/no-such-changer"])
def test_what_is_no_changer_is_not_even_asked_by_mtx(device: str) -> None:
    with pytest.raises(BackupError, match=device) as caught:
        Changer(device).status()
    assert caught.value.error_class.value == "tape_unavailable"
    assert "ETERNUS_TAPE_LIBRARY" in caught.value.next_step


def test_a_missing_mtx_says_which_package_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="package mtx") as caught:
        Changer("/dev/sg0").load(1, 0)
    assert caught.value.error_class.value == "tape_unavailable"


def test_mtx_speaks_c_and_gets_no_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mtx = tmp_path / "mtx"
    mtx.write_text('#!/bin/sh\nprintf "%s|" "$LC_ALL" "$@" >&2\nexit 3\n', encoding="utf-8")
    mtx.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    with pytest.raises(BackupError) as caught:
        Changer("/dev/sg0; reboot").transfer(1, 2)
    assert "C|-f|/dev/sg0; reboot|transfer|1|2|" in caught.value.message
