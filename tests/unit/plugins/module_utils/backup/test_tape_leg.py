# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tape leg (behaviour.md §5): states, spanning, failures, takeover, the drop that waited."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_desk import tape_lease
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import DiskState, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import Contents, read_contents
from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import (
    MIB,
    TrippingDrive,
    TrippingLibrary,
    die,
    flip,
)
from ansible_collections.eternus.backup.tests.unit.support.tape_house import SIZE, TapeHouse


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    return TapeHouse(tmp_path_factory.mktemp("template"))


@pytest.fixture
def house(template: TapeHouse, tmp_path: Path) -> TapeHouse:
    return template.clone(tmp_path)


def refused(error_class: str, house: TapeHouse, **params) -> BackupError:
    before = house.everything()
    with pytest.raises(BackupError) as caught:
        house.copy(**params)
    assert caught.value.error_class.value == error_class
    assert caught.value.next_step
    assert house.everything() == before
    return caught.value


@pytest.mark.rule("R5.1", "R5.2", "R1.8")
def test_a_queued_copy_is_written_with_its_parts_and_checksum(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    result = house.copy()
    copy = house.tape("B1")
    assert result.changed
    assert copy.state is TapeState.WRITTEN
    assert copy.sha256 == hashlib.sha256(house.contents["B1"]).hexdigest()
    assert copy.bytes_done == copy.bytes_total == SIZE
    assert [(part.barcode, part.data_file, part.offset, part.size) for part in copy.parts] == [("A1", 2, 0, SIZE)]
    assert house.bed.file("A1", 2).read_bytes() == house.contents["B1"]
    assert not house.readers()
    with house.catalog.read() as records:
        assert not records.leases()
        (cartridge,) = records.cartridges()
    assert (cartridge.files, cartridge.bytes_written, cartridge.full) == (4, SIZE, False)
    entry = house.bed.contents("A1").entries[0].header
    assert (entry.backup_id, entry.key, entry.volume, entry.generation) == ("B1", "key-B1", "oradata", 1)


def test_a_written_copy_is_left_as_it_is(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    house.copy()
    before = house.everything()
    assert not house.copy(backups=["B1"]).changed
    assert not house.copy().changed
    assert house.everything() == before


def test_check_mode_changes_nothing_and_predicts(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    before = house.everything()
    result = house.copy(check=True, verify=True)
    assert result.changed
    assert house.everything() == before
    done = house.copy(verify=True)
    assert (result.before, result.after) == (done.before, done.after)
    assert not house.copy(check=True, verify=True).changed


@pytest.mark.rule("R4.20")
def test_a_backup_spans_cartridges_of_its_pool(house: TapeHouse) -> None:
    house.cartridges("A1", "A2", capacity=5 * MIB)
    house.backup("B1", 11)
    house.backup("B2", 12)
    house.backup("B3", 13)
    with pytest.raises(BackupError) as caught:
        house.copy(verify=True)
    assert caught.value.error_class.value == "cartridge_full"
    states = [house.tape(name).state for name in ("B1", "B2", "B3")]
    assert states.count(TapeState.FAILED) >= 1
    house.cartridges("A3", "A4", "A5", "A6", capacity=5 * MIB)
    house.copy(verify=True)
    copies = [house.tape(name) for name in ("B1", "B2", "B3")]
    assert all(copy.state is TapeState.WRITTEN and copy.verified_ok for copy in copies)
    assert any(len(copy.parts) > 1 for copy in copies)
    with house.catalog.read() as records:
        assert any(one.full for one in records.cartridges())


@pytest.mark.rule("R5.1a", "R5.1")
def test_a_failed_copy_leaves_the_disk_generation_valid_and_is_written_by_the_next_run(house: TapeHouse) -> None:
    house.cartridges("A1", capacity=5 * MIB)
    house.backup("B1", 11)
    with pytest.raises(BackupError) as caught:
        house.copy()
    assert caught.value.error_class.value == "cartridge_full"
    assert caught.value.details["copies"][0]["state"] == "failed"
    assert house.get("B1").good_on_disk
    assert house.tape("B1").state is TapeState.FAILED
    assert "cartridge_full" in house.tape("B1").error
    assert not house.readers()
    house.cartridges("A2")
    assert house.copy().changed
    assert house.tape("B1").state is TapeState.WRITTEN
    assert house.tape("B1").error == ""


@pytest.mark.rule("R4.19", "R4.1")
def test_without_any_cartridge_nothing_changes(house: TapeHouse) -> None:
    house.cartridges("A1", pool="spare")
    house.backup("B1", 11)
    assert "weekly" in refused("no_cartridge", house).message


def test_an_undeclared_pool_is_named(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11, pool="nowhere")
    assert "nowhere" in refused("no_cartridge", house).message


@pytest.mark.rule("R4.18", "R5.6")
def test_a_library_that_is_not_there_leaves_the_copy_queued(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    desk = replace(house.desk, library=VirtualLibrary(str(house.path / "elsewhere")))
    refused("tape_unavailable", house, desk=desk)


def test_a_device_of_another_size_is_refused(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    house.bed.volume(house.ref(11).device_id, bytes(MIB))
    refused("size_mismatch", house)


def test_an_unknown_backup_or_volume_is_named(house: TapeHouse) -> None:
    house.cartridges("A1")
    refused("no_such_backup", house, backups=["nope"])
    refused("not_registered", house, volumes=["nope"])


@pytest.mark.rule("R8.5")
def test_a_backup_of_a_disk_policy_gets_a_copy_when_it_is_named(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11, tape=False)
    assert not house.copy().changed
    house.copy(backups=["B1"])
    assert house.tape("B1").state is TapeState.WRITTEN
    assert house.tape("B1").pool == "weekly"


def test_a_backup_without_any_pool_is_refused(house: TapeHouse) -> None:
    with house.catalog.begin() as records:
        records.remove_policies([house.ref(1)])
    house.backup("B1", 11, tape=False)
    refused("policy_violation", house, backups=["B1"])


@pytest.mark.rule("R8.5")
def test_volumes_choose_their_outstanding_copies(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    result = house.copy(volumes=["oradata"])
    assert [copy["backup_id"] for copy in result.values["copies"]] == ["B1"]


def test_a_copy_whose_disk_generation_is_gone_is_refused_when_named(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    house.copy()
    with house.catalog.begin() as records:
        records.drop_disk(["B1"])
    house.change("B1", state=TapeState.FAILED)
    refused("no_such_generation", house, backups=["B1"])
    assert not house.copy().changed


def test_somebody_elses_copy_is_busy_until_his_lease_runs_out(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    with house.catalog.begin() as records:
        records.claim_tape_copy("B1", 1, "other:1", house.clock.now(), 120.0)
    error = refused("busy", house, backups=["B1"])
    assert "other:1" in error.message
    assert not house.copy().changed  # the queue passes it over
    house.clock.sleep(121)
    house.copy()
    assert house.tape("B1").state is TapeState.WRITTEN


@pytest.mark.parametrize("number", range(1, 12))
def test_a_process_that_dies_at_a_write_is_taken_over(house: TapeHouse, number: int) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    child = os.fork()
    if child == 0:
        TrippingDrive.count, TrippingDrive.at, TrippingDrive.trip = 0, number, staticmethod(die)
        desk = replace(house.desk, library=TrippingLibrary(house.bed.library.path))
        house.copy(desk=desk, owner="dead")
        os._exit(0)
    os.waitpid(child, 0)
    assert house.tape("B1").state is TapeState.WRITING
    assert [reader.owner for reader in house.readers()] == ["dead"]
    refused("busy", house, backups=["B1"])
    house.clock.sleep(121)
    house.copy(verify=True)
    assert house.tape("B1").state is TapeState.WRITTEN
    assert house.tape("B1").verified_ok is True
    assert not house.readers()


def test_a_sleeper_that_lost_its_lease_records_nothing(house: TapeHouse) -> None:
    house.cartridges("A1", "A2")
    house.backup("B1", 11)

    class Robbed(VirtualLibrary):
        """While the leg loads its cartridge, much time passes and another takes the copy over."""

        def load(self, barcode, owner):
            house.clock.sleep(500)
            with house.catalog.begin() as records:
                records.claim_tape_copy("B1", 1, "robber", house.clock.now(), 120.0)
            return super().load(barcode, owner)

    with pytest.raises(BackupError) as caught:
        house.copy(desk=replace(house.desk, library=Robbed(house.bed.library.path)))
    assert caught.value.error_class.value == "busy"
    assert house.tape("B1").owner == "robber"
    assert house.tape("B1").state is TapeState.WRITING


@pytest.mark.rule("R5.1")
def test_progress_is_recorded_and_the_lease_renewed_while_it_runs(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    seen = []

    class Watched(VirtualLibrary):
        def load(self, barcode, owner):
            house.clock.sleep(60)  # so that the first report is due
            return super().load(barcode, owner)

    real = house.clock.now

    def now():
        with house.catalog.read() as records:
            seen.extend(lease for lease in records.leases() if lease.name == tape_lease("B1", 1))
        seen.append(house.tape("B1").bytes_done)
        return real()

    house.clock.now = now
    house.copy(desk=replace(house.desk, library=Watched(house.bed.library.path)))
    leases = [one for one in seen if not isinstance(one, int)]
    assert max(lease.expires_at for lease in leases) > min(lease.expires_at for lease in leases) + timedelta(seconds=50)
    assert SIZE in [one for one in seen if isinstance(one, int)]


@pytest.mark.rule("R5.3")
def test_the_drop_that_waited_is_carried_out_when_the_read_ends(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    with house.catalog.begin() as records:
        records.set_disk_leaving(["B1"])
    assert house.get("B1").disk.state is DiskState.LEAVING
    house.copy()
    assert house.get("B1").disk is None
    assert house.tape("B1").state is TapeState.WRITTEN


def test_verification_is_recorded_and_repeated_only_until_it_was_equal(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    house.copy()
    assert house.tape("B1").verified_at is None
    assert house.copy(verify=True).changed
    assert house.tape("B1").verified_ok is True
    assert not house.copy(verify=True).changed


def test_a_flipped_bit_fails_the_verification_and_marks_the_cartridge(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    house.copy()
    flip(house.bed.file("A1", 2), 1000)
    with pytest.raises(BackupError) as caught:
        house.copy(verify=True)
    assert caught.value.error_class.value == "checksum_mismatch"
    assert house.tape("B1").verified_ok is False
    assert house.tape("B1").state is TapeState.WRITTEN
    with house.catalog.read() as records:
        assert records.cartridges()[0].suspect
        assert not records.leases()


def test_verification_of_a_cartridge_that_is_not_there_is_refused(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    house.copy()
    (house.path / "library/A1").rename(house.path / "shelf")
    refused("no_cartridge", house, verify=True)


def test_one_refused_copy_hinders_no_other(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11, pool="nowhere", age=1)
    house.backup("B2", 12)
    with pytest.raises(BackupError) as caught:
        house.copy()
    assert caught.value.error_class.value == "no_cartridge"
    assert house.tape("B1").state is TapeState.QUEUED
    assert house.tape("B2").state is TapeState.WRITTEN
    assert [copy["state"] for copy in caught.value.details["copies"]] == ["queued", "written"]


@pytest.mark.rule("R5.6", "R5.2a")
def test_a_busy_drive_leaves_the_copy_queued_and_protected(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    with house.bed.library.load("A1", "another job"), pytest.raises(BackupError) as caught:
        house.copy()
    assert caught.value.error_class.value == "busy"
    assert "another job" in caught.value.message
    assert house.tape("B1").state is TapeState.QUEUED
    assert not house.readers()
    house.copy()
    assert house.tape("B1").state is TapeState.WRITTEN


@pytest.mark.rule("R10.15")
def test_the_days_of_the_policy_and_the_method_stand_on_tape_and_protect_the_cartridge(house: TapeHouse) -> None:
    with house.catalog.begin() as records:
        policy = records.policies([house.ref(1)])[0]
        records.put_policies([replace(policy, tape_days=30)])
    house.cartridges("A1")
    house.backup("OLD", 11, age=48)
    house.backup("NEW", 12)
    house.copy()
    with house.bed.load("A1") as drive:
        contents = read_contents(drive)
    assert isinstance(contents, Contents)
    until = {entry.header.backup_id: entry.header.keep_until for entry in contents.entries}
    days = timedelta(days=30)
    assert until == {name: (house.get(name).point_in_time + days).isoformat() for name in ("OLD", "NEW")}
    assert {entry.header.method for entry in contents.entries} == {"synchronized"}
    with house.catalog.read() as records:
        assert records.cartridges()[0].protected_until == house.get("NEW").point_in_time + days
