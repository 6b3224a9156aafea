# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hold, release, delete: behaviour.md §2 (last bullet), §4, §5."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.generation import (
    GenerationRequest,
    Wanted,
    change,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_choose import Selection
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Backup,
    DiskCopy,
    DiskState,
    JournalEntry,
    Media,
    Reader,
    ReaderPurpose,
    StepState,
    TapeCopy,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House


@pytest.fixture
def site(house: House) -> House:
    """One TV with two plain generations on three BVs, disk only; ``b2`` is the newest."""
    house.tv("oradata", 3)
    house.cycle("oradata", key="b1")
    house.cycle("oradata", key="b2")
    return house


def ask(
    house: House, state: str, *, check: bool = False, confirm: tuple[str, ...] = (), media: str = "both", **more: Any
) -> Result:
    dropping = bool(more.pop("drop_untaped", False))
    selection = Selection(**({"volumes": ("oradata",)} if "ids" not in more else {}), **more)
    request = GenerationRequest(Wanted(state), selection, Media(media), dropping, frozenset(confirm))
    return change(house.context(check=check), request)


def absent(house: House, *ids: str, **more: Any) -> Result:
    return ask(house, "absent", ids=ids, **more)


def history(house: House) -> list[Backup]:
    with house.catalog.read() as records:
        return list(records.backups())


def one(house: House, key: str) -> Backup:
    return next(backup for backup in history(house) if backup.key == key)


def leg(house: House, key: str, state: TapeState, number: int = 1, **more: Any) -> str:
    """Give a backup a tape copy; return the backup's id."""
    found = one(house, key)
    with house.catalog.begin() as records:
        records.put_tape_copy(found.id, TapeCopy(number, state, "pool", house.clock.now(), **more))
    return found.id


def borrow(house: House, key: str) -> str:
    """Make a disk copy one that is only borrowed for tape."""
    found = one(house, key)
    assert found.disk is not None
    with house.catalog.begin() as records:
        records.drop_disk([found.id])
        again = replace(
            found, id=f"{found.id}B", disk=DiskCopy(found.disk.bv, DiskState.BORROWED, found.disk.written_at)
        )
        records.add_backups([replace(again, key="", tape=())])
    return again.id


def read(house: House, key: str, purpose: ReaderPurpose, owner: str = "reader") -> None:
    found = one(house, key)
    assert found.disk is not None
    with house.catalog.begin() as records:
        records.add_reader(Reader(found.disk.bv, found.id, purpose, owner, house.clock.now()))


def rows(result: Result) -> list[tuple[str, str]]:
    return [(row["action"], row["disk"]) for row in result.values["backups"]]


@pytest.mark.rule("R8.6")
def test_a_plain_generation_goes_and_its_volume_is_unused(site):
    first = one(site, "b1")
    result = absent(site, first.id)
    assert result.changed and rows(result) == [("deleted", "deleted")]
    assert [backup.key for backup in history(site)] == ["b2"]
    assert "bv1" in site.unused()


@pytest.mark.rule("R2.19", "R8.6")
def test_a_suspended_volume_stays_bound_and_its_session_stands(house):
    house.tv("oradata", 3, suspend=True)
    house.cycle("oradata", key="b1")
    house.cycle("oradata", key="b2")
    before = house.array.sessions()
    absent(house, one(house, "b1").id)
    assert house.array.sessions() == before
    assert "bv1" not in house.unused()
    house.start("oradata")
    assert house.look().active_mirror(house.by_name["oradata"].ref).target == house.by_name["bv1"].ref


def test_an_id_that_is_in_no_history_is_nothing_to_do_and_told(site):
    ident = one(site, "b1").id
    absent(site, ident)
    again = absent(site, ident)
    assert not again.changed and again.values["backups"] == []
    assert ident in again.warnings[0]
    assert not ask(site, "released", ids=(ident,)).changed


def test_check_mode_predicts_and_changes_nothing(site):
    before = site.everything()
    site.array.reads_only = True
    planned = ask(site, "absent", check=True, generations=(2,))
    assert planned.changed and site.everything() == before
    site.array.reads_only = False
    done = ask(site, "absent", generations=(2,))
    assert (planned.before, planned.after, planned.values) == (done.before, done.after, done.values)


def test_relative_generations_ids_and_times_choose(site, refused):
    newest, oldest = one(site, "b2"), one(site, "b1")

    def chosen(**selection: Any) -> list[str]:
        return [row["id"] for row in ask(site, "held", check=True, **selection).values["backups"]]

    assert chosen(generations=(1,)) == [newest.id]
    assert chosen(generations=(1, 2)) == [oldest.id, newest.id]
    assert chosen(at=oldest.point_in_time) == [oldest.id]
    assert chosen(before=newest.point_in_time) == [oldest.id]
    assert chosen(before=oldest.point_in_time) == []
    assert chosen() == [oldest.id, newest.id]
    refused("no_such_generation", ask, site, "absent", generations=(3,))
    refused("no_such_backup", ask, site, "absent", at=oldest.point_in_time.replace(year=2000))
    refused("no_such_backup", ask, site, "held", ids=("nothing",))


def test_an_id_of_another_volume_is_refused_when_a_volume_is_named(site, refused):
    site.volume("redolog", None)
    site.tv("other", 2, generations=1)
    request = GenerationRequest(Wanted.ABSENT, Selection(("other",), ids=(one(site, "b1").id,)))
    refused("no_such_backup", change, site.context(), request)


@pytest.mark.rule("R5.4d")
def test_held_backups_stay_do_not_count_and_are_released(site, refused):
    first = one(site, "b1")
    result = ask(site, "held", ids=(first.id,))
    assert result.changed and one(site, "b1").hold
    assert "4 backup volumes" in result.warnings[0]
    assert not ask(site, "held", ids=(first.id,)).changed
    refused("policy_violation", absent, site, first.id)
    site.clock.sleep(1)
    told = ask(site, "absent", before=site.clock.now())
    assert rows(told) == [("kept", "none"), ("deleted", "deleted")]
    assert "is held and stays" in told.warnings[0]
    assert ask(site, "released", ids=(first.id,)).changed and not one(site, "b1").hold
    assert not ask(site, "released", ids=(first.id,)).changed


def test_holding_needs_no_array(site):
    ctx = replace(site.context(), arrays={})
    request = GenerationRequest(Wanted.HELD, Selection(ids=(one(site, "b1").id,)))
    assert change(ctx, request).changed


@pytest.mark.rule("R9.27")
def test_the_only_good_backup_goes_only_when_its_volume_is_confirmed(site, refused):
    absent(site, one(site, "b1").id)
    last = one(site, "b2").id
    error = refused("confirmation_required", absent, site, last)
    assert error.next_step.endswith("give confirm: oradata.")
    refused("confirmation_required", absent, site, last, confirm=("redolog",))
    assert absent(site, last, confirm=("oradata",)).changed
    assert history(site) == []


@pytest.mark.rule("R9.27")
def test_the_only_proven_tape_copy_goes_only_when_its_volume_is_confirmed(site, refused):
    proven = leg(site, "b1", TapeState.WRITTEN, verified_ok=True)
    leg(site, "b2", TapeState.WRITTEN)
    refused("confirmation_required", ask, site, "absent", ids=(proven,), media="tape")
    result = ask(site, "absent", ids=(proven,), media="tape", confirm=("oradata",))
    assert result.values["unproven"] == ["oradata"]
    assert "no tape copy any more" in result.warnings[0]


@pytest.mark.rule("R5.5", "R1.10")
def test_a_backup_vanishes_when_disk_and_tape_are_gone_and_not_before(site):
    ident = leg(site, "b1", TapeState.WRITTEN)
    result = absent(site, ident, media="disk")
    assert result.values["backups"][0]["in_history"]
    assert one(site, "b1").disk is None and one(site, "b1").good_on_tape
    result = ask(site, "absent", ids=(ident,), media="tape")
    assert not result.values["backups"][0]["in_history"]
    assert [backup.key for backup in history(site)] == ["b2"]
    assert not absent(site, ident).changed


def test_media_tape_leaves_the_disk_generation_and_needs_no_array(site):
    ident = leg(site, "b1", TapeState.WRITTEN)
    ctx = replace(site.context(), arrays={})
    request = GenerationRequest(Wanted.ABSENT, Selection(ids=(ident,)), Media.TAPE)
    result = change(ctx, request)
    assert rows(result) == [("deleted", "kept")] and result.values["backups"][0]["tape_copies"] == [1]
    assert one(site, "b1").good_on_disk and one(site, "b1").tape == ()
    assert not change(site.context(), request).changed


@pytest.mark.rule("R5.3")
def test_a_disk_copy_that_waits_for_tape_is_struck_and_its_drop_waits(site):
    ident = leg(site, "b1", TapeState.QUEUED)
    result = absent(site, ident, media="disk")
    assert result.changed and rows(result) == [("deleted", "waits")]
    assert one(site, "b1").disk.state is DiskState.LEAVING and "bv1" not in site.unused()
    again = absent(site, ident, media="disk")
    assert not again.changed and rows(again) == [("none", "waits")]


def test_drop_untaped_gives_up_a_queued_leg(site):
    ident = leg(site, "b1", TapeState.QUEUED)
    absent(site, ident, media="disk")
    assert absent(site, ident, media="disk", drop_untaped=True).changed
    assert [backup.key for backup in history(site)] == ["b2"] and "bv1" in site.unused()


def test_media_both_means_queued_and_failed_legs_too(site):
    leg(site, "b1", TapeState.FAILED)
    ident = leg(site, "b1", TapeState.QUEUED, 2)
    absent(site, ident)
    assert [backup.key for backup in history(site)] == ["b2"] and "bv1" in site.unused()


def test_a_failed_leg_protects_nothing_and_is_warned_of(site):
    ident = leg(site, "b1", TapeState.FAILED)
    result = absent(site, ident, media="disk")
    assert "its tape leg had failed" in result.warnings[0]
    assert [backup.key for backup in history(site)] == ["b2"]


@pytest.mark.rule("R5.3")
def test_a_disk_copy_that_a_restore_reads_is_struck_and_its_drop_waits(site):
    read(site, "b1", ReaderPurpose.RESTORE)
    ident = one(site, "b1").id
    assert rows(absent(site, ident)) == [("deleted", "waits")]
    assert one(site, "b1").disk.state is DiskState.LEAVING
    with site.catalog.begin() as records:
        records.remove_reader(one(site, "b1").disk.bv, "reader")
    assert rows(absent(site, ident)) == [("deleted", "deleted")]


def _writing(house: House) -> str:
    ident = leg(house, "b1", TapeState.QUEUED)
    with house.catalog.begin() as records:
        records.claim_tape_copy(ident, 1, "other:1", house.clock.now(), 120.0)
    read(house, "b1", ReaderPurpose.TAPE, "other:1")
    return ident


def test_a_tape_copy_that_is_being_written_is_busy(site):
    ident = _writing(site)
    before = site.everything()
    for media in ("tape", "both"):
        with pytest.raises(Exception) as caught:
            ask(site, "absent", ids=(ident,), media=media)
        assert caught.value.error_class.value == "busy" and "other:1" in caught.value.message
    assert site.everything() == before
    assert rows(absent(site, ident, media="disk", drop_untaped=True)) == [("deleted", "waits")]
    assert one(site, "b1").tape[0].state is TapeState.WRITING


def test_what_a_dead_writer_left_is_deleted_with_its_mark(site):
    ident = _writing(site)
    site.clock.sleep(121)
    absent(site, ident)
    assert [backup.key for backup in history(site)] == ["b2"]
    assert "bv1" in site.unused()


def test_a_copy_that_is_being_verified_is_busy_too(site):
    ident = leg(site, "b1", TapeState.WRITTEN)
    with site.catalog.begin() as records:
        records.take_leases([f"tape:{ident}:1"], "other:1", site.clock.now(), 120.0)
    with pytest.raises(Exception) as caught:
        absent(site, ident)
    assert caught.value.error_class.value == "busy"


@pytest.mark.rule("R3.10a")
def test_what_is_only_borrowed_for_tape_is_left_until_asked_for_by_drop_untaped_or_both(site):
    for key, drop in (
        ("b3", {"media": "disk", "drop_untaped": True}),
        ("b4", {"media": "both"}),
        ("b5", {"media": "tape"}),
    ):
        site.cycle("oradata", key=key)
        ident = borrow(site, key)
        with site.catalog.begin() as records:
            records.put_tape_copy(ident, TapeCopy(1, TapeState.QUEUED, "pool", site.clock.now()))
            records.put_tape_copy(ident, TapeCopy(2, TapeState.FAILED, "pool", site.clock.now()))
        left = absent(site, ident, media="disk")
        assert not left.changed and "only borrowed" in left.warnings[0]
        before = len(site.unused())
        assert absent(site, ident, **drop).changed
        assert ident not in [backup.id for backup in history(site)]
        assert len(site.unused()) == before + 1


def test_deleting_for_several_volumes_is_one_refusal_or_one_change(site, refused):
    site.tv("redolog", 2, generations=1)
    site.cycle("redolog", key="r1")
    ids = (one(site, "b1").id, one(site, "r1").id)
    refused("confirmation_required", absent, site, *ids)
    assert absent(site, *ids, confirm=("redolog",)).changed
    assert [backup.key for backup in history(site)] == ["b2"]


def test_another_operation_on_the_volume_is_busy(site):
    with site.catalog.begin() as records:
        records.take_leases([f"volume:{site.by_name['oradata'].ref}"], "other:1", site.clock.now(), 120.0)
    with pytest.raises(Exception) as caught:
        absent(site, one(site, "b1").id)
    assert caught.value.error_class.value == "busy"


def test_an_interrupted_run_is_settled_before_anything_is_deleted(site):
    from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fault, Killed

    site.array.faults.append(Fault("start", "killed_after"))
    with pytest.raises(Killed):
        site.start("oradata")
    site.clock.sleep(500)
    result = absent(site, one(site, "b1").id)
    assert result.changed and "Recovered oradata" in result.warnings[0]
    with site.catalog.read() as records:
        assert not records.open_entries()


def test_what_an_interrupted_copy_may_make_whole_again_is_not_dropped_without_the_array(site):
    ident = leg(site, "b1", TapeState.WRITTEN)
    found = one(site, "b1")
    with site.catalog.begin() as records:
        records.set_disk_leaving([ident])
        payload = {"bv": [found.disk.bv.array, found.disk.bv.device_id]}
        entry = JournalEntry("J1", "O1", "SnapCopy", found.tv, payload, StepState.INTENDED, site.clock.now())
        records.intend([entry])
    result = ask(site, "absent", ids=(ident,), media="tape")
    assert rows(result) == [("deleted", "waits")]
    assert one(site, "b1").disk.state is DiskState.LEAVING
    with site.catalog.begin() as records:
        records.settle(["J1"], StepState.UNDONE, site.clock.now())
    assert rows(ask(site, "absent", ids=(ident,), media="disk")) == [("deleted", "deleted")]
