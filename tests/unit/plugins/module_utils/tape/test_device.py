# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Size and identity are checked before anything is read or written (DESIGN.md, Where things run)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.device import Device, open_device
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, SOURCE, TARGET, Bed, noise


def refused(error_class: str, bed: Bed, device_id: str, size: int, *, write: bool = False) -> None:
    with pytest.raises(BackupError) as caught, open_device(str(bed.devices), device_id, size, write=write):
        pytest.fail("it was opened")
    assert caught.value.error_class.value == error_class
    assert caught.value.next_step


def test_a_volume_that_this_host_does_not_see_is_refused(plain: Bed) -> None:
    refused("no_such_volume", plain, SOURCE, MIB)


def test_a_link_that_leads_nowhere_is_refused(plain: Bed) -> None:
    plain.volume(SOURCE, b"").unlink()
    refused("no_such_volume", plain, SOURCE, MIB)


def test_another_size_is_refused(plain: Bed) -> None:
    plain.volume(SOURCE, bytes(MIB))
    refused("size_mismatch", plain, SOURCE, MIB + 512)
    refused("size_mismatch", plain, SOURCE, MIB - 512, write=True)


def test_what_is_no_volume_is_refused(plain: Bed) -> None:
    (plain.devices / f"wwn-0x{SOURCE.lower()}").symlink_to(plain.path)
    refused("no_such_volume", plain, SOURCE, 0)
    (plain.devices / f"wwn-0x{TARGET.lower()}").symlink_to("/dev/null")
    refused("no_such_volume", plain, TARGET, 0)


@pytest.mark.parametrize("flags", [0, os.O_DIRECT])
def test_bytes_are_read_and_written_with_and_without_the_page_cache(tmp_path: Path, flags: int) -> None:
    import mmap

    file = tmp_path / "volume"
    content = noise(MIB + 100)
    file.write_bytes(content)
    descriptor = os.open(file, os.O_RDWR)
    device = Device(str(file), descriptor, len(content), block=False)
    device._set_direct(bool(flags))
    memory = memoryview(mmap.mmap(-1, 2 * MIB))
    assert device.read_at(memory, 0) == len(content)
    assert memory[: len(content)] == content
    device.write_at(memory[:100], MIB)
    device.write_at(memory[: MIB + 100], 0)
    device.flush()
    assert device.same_as(device)
    os.close(descriptor)
    assert file.read_bytes() == content


def test_a_volume_that_cannot_be_read_is_a_failed_copy(tmp_path: Path) -> None:
    file = tmp_path / "volume"
    file.write_bytes(bytes(4096))
    descriptor = os.open(file, os.O_RDONLY)
    device = Device(str(file), descriptor, 4096, block=False)
    with pytest.raises(BackupError) as caught:
        device.write_at(memoryview(bytes(4096)), 0)
    assert caught.value.error_class.value == "copy_failed"
    os.close(descriptor)
    with pytest.raises(BackupError):
        device.read_at(memoryview(bytearray(4096)), 0)
    with pytest.raises(BackupError):
        device.flush()
