# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reconcile: drift between catalog and array is found, and mended only where it is named (behaviour.md §8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift import REPAIRABLE, DriftKind
from ansible_collections.eternus.backup.plugins.module_utils._backup.operation import lease_name
from ansible_collections.eternus.backup.plugins.module_utils._backup.reconcile import reconcile
from ansible_collections.eternus.backup.plugins.module_utils._backup.reconcile_orders import Orders
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_names import (
    RUNNING,
    compare_owner,
    restore_owner,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Reader,
    ReaderPurpose,
    Role,
    TapeState,
    UndefinedTarget,
)
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fault, Killed

ALL = frozenset(REPAIRABLE)


def run(house, *repair, check=False, **orders):
    kinds = ALL if repair == ("everything",) else frozenset(DriftKind(one) for one in repair)
    return reconcile(house.context(check=check), Orders(repair=kinds, **orders))


def kinds(result):
    return [row["kind"] for row in result.values["drift"]]


def by_hand(house, source, target, copy_type=CopyType.EC):
    pair = Pair(house.by_name[source], house.by_name[target])
    (outcome,) = house.array.start(copy_type, [pair], track=copy_type is CopyType.QUICK_OPC)
    assert outcome.error is None


def key(house, source, target):
    return (house.by_name[source].ref, house.by_name[target].ref)


def vanish(house, source, target):
    del house.fabric.copies[key(house, source, target)]


def mended(house, kind, **orders):
    """Find one drift, change nothing without its name or in check mode, then mend it; return its row."""
    calls = list(house.array.calls)
    before = house.everything()
    reported = run(house, **orders)
    assert not reported.changed and not reported.values["clean"]
    others = ALL - {DriftKind(kind)}
    assert not reconcile(house.context(), Orders(repair=others, **orders)).changed
    planned = run(house, kind, check=True, **orders)
    assert planned.changed and house.everything() == before
    done = run(house, kind, **orders)
    assert done.changed and house.everything() != before
    assert (done.values["drift"], done.values["repaired"]) == (planned.values["drift"], planned.values["repaired"])
    assert done.before == planned.before and done.after == planned.after
    again = run(house, kind, **orders)
    assert not again.changed and kind not in kinds(again)
    assert house.array.calls == calls, "the array was sent a change"
    (row,) = [row for row in done.values["drift"] if row["kind"] == kind]
    assert row["repaired"] and row["repair"] == kind
    return row


@pytest.fixture
def kept(house):
    """A TV with two suspended generations, bv1 the older, and a third BV that is unused."""
    house.tv("oradata", 3, suspend=True)
    house.cycle("oradata")
    house.cycle("oradata")
    house.clock.sleep(60)
    return house


@pytest.mark.rule("R8.8")
def test_nothing_is_reported_where_all_three_agree(kept):
    result = run(kept, "everything")
    assert (result.changed, result.values) == (False, {"drift": [], "repaired": [], "clean": True})
    assert result.warnings == []


@pytest.mark.parametrize("method", ["plain", "suspend"])
def test_nothing_is_reported_at_any_point_of_a_cycle(house, method):
    house.tv("oradata", 3, suspend=method == "suspend")
    for _cycle in range(4):
        house.start("oradata")
        assert kinds(run(house)) == []
        house.equivalent("oradata")
        assert kinds(run(house)) == []
        house.backup("oradata")
        assert kinds(run(house)) == []
        house.clock.sleep(60)
        assert kinds(run(house)) == []


@pytest.mark.parametrize(
    "policy",
    [
        {"method": "snapshot"},
        {"method": "snapshot", "safe_rotation": True},
        {"method": "differential"},
        {"method": "tape_only", "media": "tape", "tape_pool": "pool"},
    ],
    ids=lambda policy: "-".join(map(str, policy.values())),
)
def test_nothing_is_reported_at_any_point_of_a_snapshot_s_cycle(house, policy):
    house.tv("oradata", 4, **policy)
    for _cycle in range(4):
        house.backup("oradata")
        assert kinds(run(house)) == []
        house.clock.sleep(2)
        assert kinds(run(house)) == []
        house.clock.sleep(60)
        assert kinds(run(house)) == []
        if policy["method"] == "tape_only":  # one BV is borrowed at a time
            house.tape_all("oradata")
            assert kinds(run(house)) == []


def test_nothing_is_reported_at_any_point_of_a_group_s_cycle(house):
    house.group("oradata", "redolog", bvs=6, suspend=True)
    for _cycle in range(3):
        house.equivalent("oradata", "redolog")
        house.backup("oradata")
        assert kinds(run(house)) == []
        house.clock.sleep(60)
        assert kinds(run(house)) == []


def test_a_stale_session_list_after_a_backup_is_no_drift(house):
    house.tv("oradata", 2, suspend=True)
    house.equivalent("oradata")
    house.backup("oradata")
    house.fabric.set_state(*key(house, "oradata", "bv1"), SessionState.EQUIVALENT)
    assert kinds(run(house, "everything")) == []


def test_a_restore_is_no_foreign_session(kept):
    kept.volume("scratch", None)
    by_hand(kept, "bv1", "scratch", CopyType.OPC)
    target, bv = kept.by_name["scratch"].ref, kept.by_name["bv1"].ref
    assert kinds(run(kept)) == ["foreign_session"]
    with kept.catalog.begin() as records:
        records.mark_undefined(UndefinedTarget(target, "x", kept.clock.now(), RUNNING))
        records.add_reader(Reader(bv, "x", ReaderPurpose.RESTORE, restore_owner(target), kept.clock.now()))
    assert kinds(run(kept)) == []


@pytest.mark.rule("R9.24", "R9.23")
@pytest.mark.parametrize("role", [Role.BACKUP, Role.TRANSACTION, None])
def test_a_session_that_the_catalog_does_not_know_is_reported_and_never_repaired_by_kind(kept, role):
    kept.volume("other", role)
    by_hand(kept, "oradata", "other")
    before = kept.everything()
    result = run(kept, "everything")
    assert kinds(result) == ["foreign_session"] and not result.changed and not result.values["clean"]
    (row,) = result.values["drift"]
    assert (row["what"], row["repair"]) == ("oradata -> other" if role else row["what"], None)
    assert row["next_step"].startswith("adopt: " if role is Role.BACKUP else "Needs an operator: ")
    assert kept.everything() == before


def test_sessions_between_volumes_that_are_not_registered_are_none_of_ours(kept):
    kept.volume("one", None)
    kept.volume("two", None)
    by_hand(kept, "one", "two")
    assert kinds(run(kept)) == []


@pytest.mark.rule("R8.8")
def test_a_suspended_session_that_is_gone_leaves_its_generation(kept):
    vanish(kept, "oradata", "bv1")
    row = mended(kept, "lost_session")
    assert row["what"] == "oradata -> bv1"
    assert kept.on("oradata") == ["bv2", "bv1"]
    assert kept.look().allocations[kept.by_name["bv1"].ref].suspended_at is None


def test_after_a_lost_session_the_next_copy_is_a_full_one(kept):
    vanish(kept, "oradata", "bv1")
    run(kept, "lost_session")
    kept.cycle("oradata")
    assert kept.on("oradata") == ["bv3", "bv2"]
    assert kept.equivalent("oradata").values["synchronizations"][0]["backup_volume"] == "bv1"


@pytest.mark.rule("R8.8", "R9.23")
def test_a_bound_bv_with_neither_session_nor_generation_is_idle(house):
    house.tv("oradata", 1)
    house.start("oradata")
    vanish(house, "oradata", "bv1")
    assert kinds(run(house, "idle_volume")) == [], "the session list may lag behind the start"
    house.clock.sleep(60)
    mended(house, "idle_volume")
    assert house.unused() == ["bv1"]


@pytest.mark.parametrize("state", [SessionState.EXECUTING, SessionState.EQUIVALENT])
def test_a_generation_whose_session_was_resumed_by_other_hands_is_struck(kept, state):
    kept.fabric.set_state(*key(kept, "oradata", "bv2"), state)
    assert any("no longer at its point in time" in told for told in run(kept).warnings)
    mended(kept, "resumed_generation")
    assert kept.on("oradata") == ["bv1"]
    assert kept.start("oradata").values["synchronizations"][0]["backup_volume"] == "bv2"


def test_a_queued_tape_copy_goes_with_a_generation_that_is_struck(house):
    house.tv("oradata", 2, suspend=True, media="both", tape_pool="pool")
    house.cycle("oradata")
    house.clock.sleep(60)
    house.fabric.set_state(*key(house, "oradata", "bv1"), SessionState.EQUIVALENT)
    mended(house, "resumed_generation")
    assert not house.look().backups


@pytest.mark.rule("R9.23")
def test_a_held_generation_is_never_struck(kept):
    with kept.catalog.begin() as records:
        records.set_hold([kept.generations("oradata")[0].id], True)
    kept.fabric.set_state(*key(kept, "oradata", "bv2"), SessionState.EQUIVALENT)
    before = kept.everything()
    result = run(kept, "everything")
    assert kinds(result) == ["resumed_generation"] and not result.changed
    assert "held" in result.values["drift"][0]["next_step"]
    assert kept.everything() == before


@pytest.mark.rule("R9.23")
@pytest.mark.parametrize("writing", [True, False])
def test_a_generation_that_is_read_is_not_struck(house, writing):
    house.tv("oradata", 2, suspend=True, media="both", tape_pool="pool")
    house.cycle("oradata")
    house.clock.sleep(60)
    (backup,) = house.generations("oradata")
    with house.catalog.begin() as records:
        if writing:
            records.put_tape_copy(backup.id, replace(backup.tape[0], state=TapeState.WRITING))
        else:
            records.add_reader(Reader(backup.disk.bv, backup.id, ReaderPurpose.TAPE, "tape", house.clock.now()))
    house.fabric.set_state(*key(house, "oradata", "bv1"), SessionState.EQUIVALENT)
    assert not run(house, "resumed_generation").changed
    assert house.on("oradata") == ["bv1"]


@pytest.mark.parametrize("generation", [True, False])
def test_a_suspended_session_without_a_generation_that_was_resumed_is_the_current_synchronization(kept, generation):
    kept.cycle("oradata")
    kept.clock.sleep(60)
    assert kept.on("oradata") == ["bv3", "bv2"]
    kept.fabric.set_state(*key(kept, "oradata", "bv1"), SessionState.EXECUTING)
    mended(kept, "session_state")
    assert kept.on("oradata") == ["bv3", "bv2"]
    assert kept.look().allocations[kept.by_name["bv1"].ref].suspended_at is None


def test_a_session_that_was_suspended_by_other_hands_is_resumable(house):
    house.tv("oradata", 2, suspend=True)
    house.equivalent("oradata")
    house.clock.sleep(60)
    house.array.suspend(CopyType.EC, [Pair(house.by_name["oradata"], house.by_name["bv1"])])
    house.clock.sleep(60)
    mended(house, "session_state")
    assert house.look().allocations[house.by_name["bv1"].ref].suspended_at is not None
    assert house.generations("oradata") == []
    assert house.start("oradata").values["synchronizations"][0]["action"] == "resumed"


def test_a_broken_session_needs_an_operator_and_its_generation_stays(kept):
    kept.fabric.set_state(*key(kept, "oradata", "bv1"), SessionState.FAILED)
    before = kept.everything()
    result = run(kept, "everything")
    (row,) = result.values["drift"]
    assert (row["kind"], row["repair"], result.changed) == ("broken_session", None, False)
    assert row["next_step"].startswith("Needs an operator: ") and "is whole" in row["message"]
    assert kept.everything() == before


@pytest.mark.parametrize(
    ("copy_type", "percent", "found"),
    [
        (CopyType.OPC, 40, "broken_generation"),
        (CopyType.QUICK_OPC, 40, "broken_generation"),
        (CopyType.QUICK_OPC, 100, "broken_session"),
    ],
)
def test_a_clone_that_broke_before_it_was_copied_is_no_generation(house, copy_type, percent, found):
    house.tv("oradata", 2, generations=1)
    house.cycle("oradata")
    house.clock.sleep(60)
    as_a_clone(house, copy_type)
    by_hand(house, "oradata", "bv1", copy_type)
    broken(house, "oradata", "bv1", percent)
    assert kinds(run(house)) == [found]
    if found == "broken_generation":
        mended(house, found)
        assert house.generations("oradata") == []
        assert kinds(run(house)) == ["broken_session"]


def as_a_clone(house, copy_type):
    """Let the newest backup have been made by OPC or QuickOPC."""
    (backup,) = house.generations("oradata")
    with house.catalog.begin() as records:
        (row,) = records.allocations(bvs=[backup.disk.bv])
        records.drop_disk([backup.id])
        records.free([row.bv])
        records.allocate([replace(row, copy_type=copy_type, suspended_at=None)])
        records.add_backups([replace(backup, copy_type=copy_type, key="")])


def broken(house, source, target, percent):
    copying = house.fabric.copies[key(house, source, target)]
    copying.session = replace(copying.session, state=SessionState.FAILED, percent=percent)


def test_an_executing_clone_of_ours_is_no_drift(house):
    house.tv("oradata", 2, generations=1)
    house.cycle("oradata")
    house.clock.sleep(60)
    as_a_clone(house, CopyType.QUICK_OPC)
    by_hand(house, "oradata", "bv1", CopyType.QUICK_OPC)
    assert kinds(run(house)) == []


def test_a_tracked_session_that_was_ended_is_worth_knowing_only(house):
    house.tv("oradata", 2, generations=1)
    house.cycle("oradata")
    house.clock.sleep(60)
    as_a_clone(house, CopyType.QUICK_OPC)
    result = run(house, "everything")
    assert kinds(result) == ["lost_session"] and result.values["clean"] and not result.changed


def test_a_generation_that_others_copied_over_is_struck_and_its_bv_unknown(house):
    house.tv("oradata", 1, generations=1)
    house.cycle("oradata")
    house.volume("stranger", None)
    house.clock.sleep(60)
    by_hand(house, "stranger", "bv1", CopyType.OPC)
    mended(house, "overwritten_generation")
    vanish(house, "stranger", "bv1")
    assert house.generations("oradata") == [] and house.unused() == []
    assert kinds(run(house)) == ["unknown_volume"]


def test_a_mirror_s_generation_is_lost_to_a_clone_of_its_own_volume_too(house):
    house.tv("oradata", 1, generations=1)
    house.cycle("oradata")
    house.clock.sleep(60)
    by_hand(house, "oradata", "bv1", CopyType.OPC)
    mended(house, "overwritten_generation")
    assert house.generations("oradata") == []


def test_a_registered_volume_that_is_gone_from_the_array_needs_an_operator(kept):
    del kept.fabric.volumes[kept.by_name["bv1"].ref]
    result = run(kept, "everything")
    (row,) = [row for row in result.values["drift"] if row["kind"] == "missing_volume"]
    assert (row["what"], row["repair"], result.changed) == ("bv1", None, False)
    assert "serves oradata" in row["next_step"]


def test_another_name_and_another_size_of_an_unused_volume_are_taken_over(kept):
    ref = kept.by_name["bv3"].ref
    kept.fabric.volumes[ref] = replace(kept.fabric.volumes[ref], name="bv3-new", blocks=4096)
    mended(kept, "changed_volume")
    assert kept.look().volumes[ref].volume == kept.fabric.volumes[ref]


def test_another_size_of_a_volume_that_holds_something_needs_an_operator(kept):
    ref = kept.by_name["bv1"].ref
    kept.fabric.volumes[ref] = replace(kept.fabric.volumes[ref], blocks=4096)
    result = run(kept, "everything")
    assert kinds(result) == ["changed_volume"] and not result.changed
    assert "Needs an operator" in result.values["drift"][0]["next_step"]


def test_a_policy_that_pins_a_bv_that_is_gone_is_reported(house):
    house.tv("redolog", 1)
    house.tv("oradata", pinned=["bv1"], generations=1)
    with house.catalog.begin() as records:
        records.remove_volumes([house.by_name["bv1"].ref])
    result = run(house)
    assert [(row["kind"], row["what"]) for row in result.values["drift"]] == [("pinned_volume", "oradata")]


def test_a_pinned_bv_that_is_gone_from_the_array_is_reported_with_its_policy(house):
    house.tv("redolog", 1)
    house.tv("oradata", pinned=["bv1"], generations=1)
    del house.fabric.volumes[house.by_name["bv1"].ref]
    assert sorted(kinds(run(house))) == ["missing_volume", "pinned_volume"]


def test_a_target_that_a_restore_left_undefined_is_worth_knowing_only(kept):
    with kept.catalog.begin() as records:
        records.mark_undefined(UndefinedTarget(kept.by_name["bv3"].ref, "x", kept.clock.now(), "a restore failed"))
    result = run(kept, "everything")
    assert kinds(result) == ["undefined_target"] and result.values["clean"] and not result.changed


def test_an_interrupted_operation_is_finished_by_recovery_when_journal_is_named(house):
    house.tv("oradata", 2, suspend=True)
    house.equivalent("oradata")
    house.array.faults.append(Fault("suspend", "killed_after"))
    with pytest.raises(Killed):
        house.backup("oradata")
    assert kinds(run(house)) == [], "it is still under its lease"
    house.clock.sleep(300)
    assert kinds(run(house)) == ["journal", "dead_lease"]
    assert not run(house, "idle_volume", "session_state").changed
    planned = run(house, "journal", check=True)
    done = run(house, "journal")
    assert planned.values["repaired"] == done.values["repaired"] == ["journal: oradata"]
    assert done.changed and house.on("oradata") == ["bv1"]
    assert kinds(run(house)) == []


def test_what_another_operation_works_on_is_left_out_and_said_so(kept):
    vanish(kept, "oradata", "bv1")
    with kept.catalog.begin() as records:
        records.take_leases([lease_name(kept.by_name["oradata"].ref)], "job-7", kept.clock.now(), 60)
    result = run(kept, "everything")
    assert not result.changed and kinds(result) == []
    assert result.warnings == ["Left out, since another operation works on them now: oradata."]


def test_leases_that_nobody_renewed_are_taken_away(kept):
    with kept.catalog.begin() as records:
        records.take_leases(["volume:x", "tape:y:1"], "job-7", kept.clock.now(), 60)
    assert kinds(run(kept)) == []
    kept.clock.sleep(61)
    result = run(kept, "dead_lease")
    assert result.values["repaired"] == ["dead_lease: tape:y:1", "dead_lease: volume:x"] and result.values["clean"]
    with kept.catalog.read() as records:
        assert not records.leases()


def test_the_lease_of_a_dead_owner_counts_as_repaired_when_it_is_taken_over(kept):
    vanish(kept, "oradata", "bv1")
    with kept.catalog.begin() as records:
        records.take_leases([lease_name(kept.by_name["oradata"].ref)], "job-7", kept.clock.now(), 60)
    kept.clock.sleep(61)
    result = run(kept, "everything")
    assert sorted(result.values["repaired"]) == ["dead_lease: oradata", "lost_session: oradata -> bv1"]
    assert result.values["clean"]


def test_a_tape_server_that_died_reads_no_more_and_the_drop_that_waited_is_carried_out(house):
    house.tv("oradata", 2, generations=1)
    house.cycle("oradata")
    (first,) = house.generations("oradata")
    with house.catalog.begin() as records:
        records.add_reader(Reader(first.disk.bv, first.id, ReaderPurpose.TAPE, "tape-7", house.clock.now()))
        records.take_leases([f"tape:{first.id}:1"], "tape-7", house.clock.now(), 120)
    house.cycle("oradata")
    assert kinds(run(house)) == []
    house.clock.sleep(300)
    assert kinds(run(house)) == ["stale_reader", "dead_lease"]
    run(house, "dead_lease")
    mended(house, "stale_reader")
    assert house.unused() == ["bv1"]


def test_a_restore_that_has_ended_reads_no_more_and_its_target_is_whole(kept):
    kept.volume("scratch", None)
    target, bv = kept.by_name["scratch"].ref, kept.by_name["bv1"].ref
    with kept.catalog.begin() as records:
        records.mark_undefined(UndefinedTarget(target, "x", kept.clock.now(), RUNNING))
        records.add_reader(Reader(bv, "x", ReaderPurpose.RESTORE, restore_owner(target), kept.clock.now()))
    assert kinds(run(kept)) == []
    kept.clock.sleep(60)
    mended(kept, "stale_reader")
    assert not kept.look().undefined and not kept.look().readers


def test_a_restore_test_reads_as_long_as_its_lease_lives(kept):
    target = kept.volume("scratch", None).ref
    owner, now = compare_owner(target), kept.clock.now()
    with kept.catalog.begin() as records:
        records.add_reader(Reader(kept.by_name["bv1"].ref, "x", ReaderPurpose.RESTORE, owner, now))
        records.take_leases([owner], "job-7", now, 120)
    kept.clock.sleep(60)
    assert kinds(run(kept)) == []
    kept.clock.sleep(300)
    assert kinds(run(kept)) == ["stale_reader", "dead_lease"]
    assert run(kept, "stale_reader", "dead_lease").values["clean"]
    assert not kept.look().readers


def test_a_reader_of_a_restore_that_nobody_knows_reads_no_more(kept):
    with kept.catalog.begin() as records:
        reader = Reader(kept.by_name["bv1"].ref, "x", ReaderPurpose.RESTORE, "restore:gone", kept.clock.now())
        records.add_reader(reader)
    kept.clock.sleep(60)
    mended(kept, "stale_reader")


def test_only_the_named_volumes_are_reported_and_repaired(kept, refused):
    kept.tv("redolog", 2, suspend=True)
    kept.cycle("redolog")
    kept.clock.sleep(60)
    vanish(kept, "redolog", kept.on("redolog")[0])
    vanish(kept, "oradata", "bv1")
    vanish(kept, "oradata", "bv2")
    assert len(kinds(run(kept))) == 3
    assert len(kinds(run(kept, volumes=("oradata",)))) == 2
    done = run(kept, "lost_session", backup_volumes=("bv2",))
    assert done.values["repaired"] == ["lost_session: oradata -> bv2"] and done.values["clean"]
    assert len(kinds(run(kept))) == 2
    refused("not_registered", run, kept, volumes=("nix",))


def test_volumes_on_arrays_that_are_not_connected_are_left_out(tmp_path):
    from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

    house = House(tmp_path, arrays=("ET1", "ET2"))
    house.tv("oradata", 1)
    house.volume("far", Role.BACKUP, array="ET2")
    house.start("oradata")
    house.clock.sleep(60)
    vanish(house, "oradata", "bv1")
    ctx = house.context()
    there = replace(ctx, arrays={"ET2": ctx.arrays["ET2"]})
    result = reconcile(there, Orders(repair=ALL))
    assert kinds(result) == [] and not result.changed
    assert result.warnings == ["Left out, since this task is not connected to their array: bv1, oradata."]
    here = replace(ctx, arrays={"ET1": ctx.arrays["ET1"]})
    assert kinds(reconcile(here, Orders())) == ["idle_volume"]


def test_diff_mode_shows_every_drift_before_and_after(kept):
    vanish(kept, "oradata", "bv1")
    kept.volume("far", None)
    by_hand(kept, "oradata", "far")
    result = run(kept)
    assert len(result.before) == len(result.after) == 2
    assert result.after["lost_session: oradata -> bv1"] == {"session": None}


def test_a_repair_that_lost_a_race_changes_nothing(kept, monkeypatch):
    vanish(kept, "oradata", "bv1")
    array, seen = kept.array, []
    sessions = array.sessions

    def meanwhile():
        seen.append(1)
        if len(seen) == 2:  # under the leases: another hand has started it anew
            by_hand(kept, "oradata", "bv1")
        return sessions()

    monkeypatch.setattr(array, "sessions", meanwhile)
    before = kept.everything().allocations
    seen.clear()
    result = run(kept, "lost_session")
    assert not result.changed and kinds(run(kept)) == ["resumed_generation"]
    assert kept.everything().allocations == before


def test_each_array_is_asked_once_for_volumes_and_once_for_sessions_and_again_under_the_leases(kept):
    trips = kept.array.round_trips
    run(kept)
    assert kept.array.round_trips == trips + 2
    vanish(kept, "oradata", "bv1")
    trips = kept.array.round_trips
    run(kept, "lost_session")
    assert kept.array.round_trips == trips + 3
