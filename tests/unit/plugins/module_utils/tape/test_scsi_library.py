# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A SCSI library: drives by serial number, what moves, who waits for whom (tape.md, Two backends)."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import EndOfData, Position, WriteOutcome
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_library import READY_SECONDS, ScsiLibrary
from ansible_collections.eternus.backup.tests.unit.support.clock import FakeClock
from ansible_collections.eternus.backup.tests.unit.support.st_host import StHost

CARTRIDGES = ("A1", "A2", "A3", "A4", "CLN001L1")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StHost:
    host = StHost(tmp_path, monkeypatch)
    host.reset(*CARTRIDGES)
    return host


@pytest.fixture
def library(host: StHost) -> ScsiLibrary:
    return host.scsi()


def refused(error_class: str, act, *args) -> BackupError:
    with pytest.raises(BackupError) as caught:
        act(*args)
    assert caught.value.error_class.value == error_class, caught.value.message
    assert caught.value.next_step
    return caught.value


def loaded(library: ScsiLibrary, barcode: str) -> str:
    with library.load(barcode, "me") as drive:
        return drive.name


def moves(host: StHost) -> list[tuple[str, str]]:
    return host.library.changer.loads


@pytest.mark.rule("R10.10")
def test_drives_are_matched_by_serial_number_and_not_by_index(host: StHost, library: ScsiLibrary) -> None:
    found = [(drive.name, drive.serial, Path(drive.device).name) for drive in library.inventory().drives]
    assert found == [("drive0", "BED0000002", "nst1"), ("drive1", "BED0000001", "nst0")]
    assert not any(drive.problem or drive.owner for drive in library.inventory().drives)


def test_a_drive_without_a_device_on_this_host_is_shown_and_never_used(host: StHost, library: ScsiLibrary) -> None:
    host.library.drives[1].serial = "ELSEWHERE"
    drives = library.inventory().drives
    assert "no device on this host" in drives[0].problem
    assert "0=/dev/nst" in drives[0].problem
    assert (drives[0].device, drives[1].problem) == ("", "")
    assert {loaded(library, barcode) for barcode in ("A1", "A2", "A3")} == {"drive1"}


@pytest.mark.rule("R10.10")
def test_two_devices_with_one_serial_number_are_not_guessed(host: StHost, library: ScsiLibrary) -> None:
    page = host.path / "sys/nst0/device/vpd_pg80"
    page.write_bytes((host.path / "sys/nst1/device/vpd_pg80").read_bytes())
    assert "several devices" in library.inventory().drives[0].problem
    assert "no device" in library.inventory().drives[1].problem
    refused("tape_unavailable", loaded, library, "A1")


def test_a_changer_that_tells_no_serial_numbers_needs_them_named(host: StHost) -> None:
    host.library.fault("element_status", [5, 0x24, 0], times=99)
    assert all("does not tell" in drive.problem for drive in host.scsi().inventory().drives)
    named = host.scsi("0=nst1", "1=nst0")
    assert [Path(drive.device).name for drive in named.inventory().drives] == ["nst1", "nst0"]
    assert loaded(named, "A1") == "drive0"


def test_a_serial_number_that_is_cut_off_serves_only_where_one_device_is_left(host: StHost) -> None:
    identify = host.library.changer.commands[0xB8][1]
    host.library.drives[1].serial = host.library.drives[1].identifier()
    host.library.drives[0].serial = host.library.drives[0].identifier()
    host.library.changer.commands[0xB8] = ("element_status", lambda command, data: identify(command, data)[:-8])
    assert [Path(drive.device).name for drive in host.scsi().inventory().drives] == ["nst1", "nst0"]
    (host.path / "sys/nst1/device/vpd_pg80").write_bytes(b"\x01\x80\x00\x0aBED0000009")
    assert ["several devices" in drive.problem for drive in host.scsi().inventory().drives] == [False, True]


def test_only_the_drives_of_the_option_are_used(host: StHost) -> None:
    library = host.scsi("nst0")
    assert "option 'drives'" in library.inventory().drives[0].problem
    assert {loaded(library, barcode) for barcode in ("A1", "A2")} == {"drive1"}


def test_a_rewinding_device_stands_for_its_non_rewinding_one(host: StHost) -> None:
    (host.devices / "st1").touch()
    library = ScsiLibrary(host.changer, [str(host.devices / "st1")], lock_dir=str(host.path / "locks"))
    assert [drive.problem for drive in library.inventory().drives] == ["", "not among the option 'drives'"]


def test_a_cartridge_stays_in_its_drive_rewound_and_is_used_there_at_once(host: StHost, library: ScsiLibrary) -> None:
    with library.load("A1", "me") as drive:
        drive.write_block(b"x" * 10)
    found = library.inventory()
    slot = found.slot("A1")
    assert slot is not None
    assert (slot.drive, slot.element, found.drives[0].barcode) == ("drive0", "slot 1", "A1")
    assert not found.in_use
    with library.load("A1", "me") as drive:
        assert drive.position() == Position(0, 0)
        assert drive.end_of_data().file == 1
    assert moves(host) == [("A1", "drive2")]


def test_the_capacity_is_the_cartridges_own(library: ScsiLibrary) -> None:
    with library.load("A1", "me") as drive:
        assert drive.capacity == 8 << 20


def test_an_empty_drive_is_taken_first_then_an_idle_ones_cartridge_goes_home(
    host: StHost, library: ScsiLibrary
) -> None:
    for barcode in ("A1", "A2", "A3", "A1"):
        loaded(library, barcode)
    assert moves(host) == [("A1", "drive2"), ("A2", "drive1"), ("A3", "drive2"), ("A1", "drive2")]
    found = library.inventory()
    assert {slot.barcode: slot.drive or slot.element for slot in found.slots} == {
        "A1": "drive0", "A2": "drive1", "A3": "slot 3", "A4": "slot 4", "CLN001L1": "slot 5",
    }  # fmt: skip


def test_a_cartridge_of_unknown_origin_goes_into_any_free_slot(host: StHost, library: ScsiLibrary) -> None:
    loaded(library, "A1")
    loaded(library, "A2")
    host.library.changer.homes.clear()
    loaded(library, "A3")
    slot = library.inventory().slot("A1")
    assert slot is not None
    assert slot.element == "slot 1"


def test_without_a_free_slot_nothing_is_unloaded(host: StHost, library: ScsiLibrary) -> None:
    loaded(library, "A1")
    loaded(library, "A2")
    for number in range(7):
        host.library.insert(f"B{number}", 1 << 20)
    assert "no slot is free" in refused("tape_unavailable", loaded, library, "A3").message


@pytest.mark.rule("R10.14")
def test_who_holds_a_cartridge_is_told_and_no_drive_is_taken_from_anybody(library: ScsiLibrary) -> None:
    with ExitStack() as stack:
        stack.enter_context(library.load("A1", "backup 7"))
        found = library.inventory()
        assert found.in_use == {"A1"}
        assert found.drives[0].owner == "backup 7"
        assert found.drives[0].since
        error = refused("busy", loaded, library, "A1")
        assert error.details["owner"] == "backup 7"
        stack.enter_context(library.load("A2", "backup 8"))
        assert "no other drive is free" in refused("busy", loaded, library, "A3").message
        refused("busy", library.export_cartridge, "A1", "me")
    assert loaded(library, "A3")
    assert not library.inventory().in_use


@pytest.mark.rule("R10.14")
def test_a_device_that_another_process_has_open_is_busy(host: StHost, library: ScsiLibrary) -> None:
    loaded(library, "A1")
    device = library.inventory().drives[0].device
    other = os.open(device, os.O_RDONLY)
    assert library.inventory().drives[0].owner == "another process"
    refused("busy", loaded, library, "A1")
    assert loaded(library, "A2") == "drive1"
    os.close(other)
    assert loaded(library, "A1") == "drive0"


@pytest.mark.rule("R10.14")
def test_a_process_that_holds_a_device_is_named(host: StHost, library: ScsiLibrary) -> None:
    device = library.inventory().drives[0].device
    script = f"file = open({device!r}); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        host.opened[-1] = device
        assert library.inventory().drives[0].owner.startswith(f"process {other.pid} (")
        other.communicate("\n")


def test_a_killed_process_frees_its_drive(host: StHost, library: ScsiLibrary) -> None:
    library.inventory()
    lock = host.path / "locks/drive-BED0000002"
    script = f"import fcntl; file = open({str(lock)!r}, 'w'); fcntl.flock(file, fcntl.LOCK_EX); print(1, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", script + "; input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert library.inventory().drives[0].owner == "another process"
        assert loaded(library, "A1") == "drive1"
        other.kill()
        other.wait()
        assert library.inventory().drives[0].owner == ""
    assert loaded(library, "A2") == "drive0"


def test_locks_are_this_users_own_and_follow_no_link(host: StHost, library: ScsiLibrary) -> None:
    loaded(library, "A1")
    locks = host.path / "locks"
    assert stat.S_IMODE(locks.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in locks.iterdir()} == {0o600}
    assert {file.name for file in locks.iterdir()} == {"changer-sg0", "drive-BED0000001", "drive-BED0000002"}
    victim = host.path / "victim"
    victim.write_text("kept", encoding="utf-8")
    (locks / "changer-sg0").unlink()
    (locks / "changer-sg0").symlink_to(victim)
    assert "its lock cannot be taken" in refused("tape_unavailable", library.inventory).message
    assert victim.read_text(encoding="utf-8") == "kept"
    (locks / "changer-sg0").unlink()
    locks.chmod(0o777)
    assert "own directory" in refused("tape_unavailable", library.inventory).message


@pytest.mark.rule("R10.9")
def test_a_cleaning_cartridge_is_shown_and_left_to_the_library(library: ScsiLibrary) -> None:
    slot = library.inventory().slot("CLN001L1")
    assert slot is not None
    assert slot.cleaning
    assert "cleaning" in refused("no_cartridge", loaded, library, "CLN001L1").message


def test_export_and_import_move_through_the_import_export_slots(host: StHost, library: ScsiLibrary) -> None:
    loaded(library, "A1")
    assert library.export_cartridge("A1", "me") == "import/export slot 11"
    assert library.export_cartridge("A1", "me") == "import/export slot 11"
    slot = library.inventory().slot("A1")
    assert slot is not None
    assert slot.outside
    assert "imported" in refused("no_cartridge", loaded, library, "A1").next_step
    assert library.export_cartridge("A2", "me") == "import/export slot 12"
    assert "no import/export slot is free" in refused("tape_unavailable", library.export_cartridge, "A3", "me").message
    assert library.import_cartridge("A2", "me") == "slot 1"
    assert library.import_cartridge("A2", "me") == "slot 1"
    loaded(library, "A3")
    assert library.import_cartridge("A3", "me") == "slot 3"
    assert library.import_cartridge("A1", "me") == "slot 2"


@pytest.mark.parametrize("name", ["load", "export_cartridge", "import_cartridge"])
def test_what_is_not_there_and_what_is_no_barcode_is_named(library: ScsiLibrary, name: str) -> None:
    def act(barcode: str) -> object:
        return loaded(library, barcode) if name == "load" else getattr(library, name)(barcode, "me")

    refused("no_cartridge", act, "B9")
    refused("invalid_option", act, "../A1")


def test_a_cartridge_without_a_barcode_is_counted_and_never_loaded(host: StHost, library: ScsiLibrary) -> None:
    host.library.unlabel("A1")
    found = library.inventory()
    assert found.unreadable == 1
    assert found.slot("A1") is None
    refused("no_cartridge", loaded, library, "A1")


def test_what_mtx_says_is_in_the_named_error(host: StHost, library: ScsiLibrary) -> None:
    host.library.fault("move", [4, 0x15, 1])
    error = refused("tape_unavailable", loaded, library, "A1")
    assert "MOVE MEDIUM from Element Address 4096 to 256 Failed (Hardware Error, 15/01)" in error.message
    assert loaded(library, "A1") == "drive0"


def test_another_cartridge_than_the_one_asked_for_is_not_used(host: StHost, library: ScsiLibrary) -> None:
    robot = host.library.changer.commands[0xA5][1]

    def grabs_the_neighbour(command: bytes, data: memoryview) -> bytes:
        return robot(command[:4] + (int.from_bytes(command[4:6], "big") + 1).to_bytes(2, "big") + command[6:], data)

    host.library.changer.commands[0xA5] = ("move", grabs_the_neighbour)
    assert "it loaded A2" in refused("tape_unavailable", loaded, library, "A1").message


def test_an_ejected_cartridge_is_taken_in_again(host: StHost, library: ScsiLibrary) -> None:
    loaded(library, "A1")
    host.library.drives[1].loaded = False
    assert library.inventory().drives[0].problem == "not ready"
    assert loaded(library, "A1") == "drive0"
    assert moves(host) == [("A1", "drive2")]


def test_a_drive_is_waited_for_but_not_for_ever(host: StHost) -> None:
    clock = FakeClock()
    library = host.scsi(clock=clock)
    host.library.fault("test_unit_ready", [2, 4, 1], unit="drive2", times=12)
    assert loaded(library, "A1") == "drive0"
    assert 5 <= sum(clock.slept) <= 15
    clock.slept.clear()
    host.library.fault("test_unit_ready", [2, 4, 1], unit="drive1", times=10_000)
    assert "does not get ready" in refused("tape_unavailable", loaded, library, "A2").message
    assert READY_SECONDS <= sum(clock.slept) < READY_SECONDS + 2


def test_a_drive_that_is_offline_is_left_for_the_other(host: StHost, library: ScsiLibrary) -> None:
    loaded(library, "A1")
    host.library.offline("drive2")
    assert loaded(library, "A2") == "drive1"
    assert loaded(library, "A3") == "drive1"
    assert library.inventory().drives[0].problem == "offline"


def test_an_empty_drive_that_is_offline_is_not_loaded(host: StHost, library: ScsiLibrary) -> None:
    host.library.offline("drive2")
    assert loaded(library, "A1") == "drive1"
    assert [drive.problem for drive in library.inventory().drives] == ["offline", ""]


@pytest.mark.rule("R10.9")
def test_a_drive_that_the_library_cleans_is_left_alone(host: StHost) -> None:
    host.reset("A1", "A2", "CLN001L1")
    library = host.scsi()
    status = library._changer.status()
    cleaner = next(slot for slot in status.slots if slot.barcode == "CLN001L1")
    library._changer.load(cleaner.number, status.drives[0].number)
    assert "cleaning" in library.inventory().drives[0].problem
    with library.load("A1", "me"), pytest.raises(BackupError) as caught, library.load("A2", "you"):
        pass
    assert caught.value.error_class.value == "busy"
    slot = library.inventory().slot("CLN001L1")
    assert slot is not None
    assert slot.drive == "drive0"


def test_what_was_written_comes_back_from_either_drive(library: ScsiLibrary) -> None:
    buffer = memoryview(bytearray(1024))
    with library.load("A1", "me") as drive:
        for number in range(3):
            assert drive.write_block(bytes([number]) * 1000) is WriteOutcome.WRITTEN
            drive.write_filemark(synchronous=number == 2)
    library.export_cartridge("A1", "me")
    library.import_cartridge("A1", "me")
    with library.load("A2", "me"), library.load("A1", "me") as drive:
        assert drive.name == "drive1"
        drive.position_file(2)
        assert (drive.read_block(buffer), buffer[0]) == (1000, 2)
        assert drive.read_block(buffer) == 0
        with pytest.raises(EndOfData):
            drive.read_block(buffer)


@pytest.fixture(autouse=True)
def _nothing_stays_open(host: StHost) -> Iterator[None]:
    yield
    assert not [device for number, device in host.opened.items() if number >= 0]
