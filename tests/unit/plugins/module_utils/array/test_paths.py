# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Object paths are kept as text and used as they are (array.md, Connection)."""

from __future__ import annotations

import pywbem
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._array import paths
from ansible_collections.eternus.backup.plugins.module_utils._array.model import Volume, VolumeRef

DEVICE = "600000E00D2A0000002A011500140000"
_TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc")), min_size=1)


@given(_TEXT)
def test_a_path_survives_being_kept(system: str) -> None:
    path = paths.volume_path(system, DEVICE)
    assert paths.from_uri(paths.to_uri(path)) == path


def test_a_path_is_kept_without_its_host() -> None:
    path = paths.volume_path("ARRAY", DEVICE)
    path.host = "10.0.0.1:5989"
    assert "10.0.0.1" not in paths.to_uri(path)
    assert path.host == "10.0.0.1:5989"


def test_a_session_path_survives_being_kept() -> None:
    path = paths.session_path(paths.volume_path("A", DEVICE), paths.volume_path("B", DEVICE))
    assert paths.from_uri(paths.to_uri(path)) == path


def test_a_kept_path_is_used_as_it_is() -> None:
    kept = '/root/eternus:FUJITSU_StorageVolume.DeviceID="X",SystemName="S"'
    volume = Volume(VolumeRef("A", DEVICE), "v", 8, path=kept)
    found = paths.path_of(volume, "other")
    assert isinstance(found, pywbem.CIMInstanceName)
    assert dict(found.keybindings) == {"DeviceID": "X", "SystemName": "S"}


def test_a_volume_without_a_usable_path_gets_one_from_its_keys() -> None:
    for path in ("", "not a path"):
        found = paths.path_of(Volume(VolumeRef("A", DEVICE), "v", 8, path=path), "SYS")
        assert found == paths.volume_path("SYS", DEVICE)


def test_paths_are_compared_by_key_whatever_their_case() -> None:
    assert paths.device_id(paths.volume_path("S", DEVICE.lower())) == DEVICE
