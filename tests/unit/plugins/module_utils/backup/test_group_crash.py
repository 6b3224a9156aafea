# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process that dies in a group's backup leaves all or nothing to the next run (behaviour.md §3, DESIGN.md)."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import SessionState
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import BackupRequest
from ansible_collections.eternus.backup.plugins.module_utils._backup.take import take_backup
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import Fault, Killed
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

MEMBERS = ("oradata", "redolog", "archive")
BVS = 9
COMMITS = range(8)

lists_or_not = pytest.mark.parametrize("lists", [True, False], ids=["lists", "one-by-one"])
methods = pytest.mark.parametrize("policy", [{}, {"suspend": True}, {"method": "snapshot"}], ids=str)


def ready(tmp_path, lists, policy):
    """A group with one backup, ready for the next: a writer stamps every member with the same number."""
    house = House(tmp_path, lists=lists, memory=True)
    house.group(*MEMBERS, bvs=BVS, generations=1, **policy)
    night(house)
    return house


def day(house):
    """Synchronize where the method wants it, and let the writer stamp every member with the next number."""
    if house.look().policies[house.by_name["oradata"].ref].method.value == "synchronized":
        house.equivalent(*MEMBERS)
    house.clock.sleep(3600)
    house.stamp += 1
    for name in MEMBERS:
        house.fabric.write(house.by_name[name].ref, 0, house.stamp)


def night(house):
    day(house)
    house.backup(*MEMBERS)


def ids(house):
    return {backup.id for name in MEMBERS for backup in house.history(name)}


def whole_or_nothing(house, before, stamp):
    """Let one member's next run mend it: all have the new backup, or none; nothing leaks, the bytes are right."""
    with contextlib.suppress(BackupError):
        house.start("redolog")
    with house.catalog.read() as records:
        assert {entry.kind for entry in records.open_entries()} <= {"ReleaseCopy"}
        assert not records.open_entries([house.by_name["redolog"].ref])
    new = [[backup for backup in house.history(name) if backup.id not in before] for name in MEMBERS]
    counts = {len(found) for found in new}
    assert counts in ({0}, {1})
    if counts == {1}:
        assert len({found[0].group_id for found in new}) == 1
        assert len({found[0].point_in_time for found in new}) == 1
    for name in MEMBERS:
        held = [house.fabric.content[backup.disk.bv][0] for backup in house.generations(name)]
        assert held == ([stamp] if counts == {1} else [stamp - 1])
    world = house.look()
    for bv, allocation in world.allocations.items():
        assert world.backup_on(bv, allocation.tv) or world.touching(bv)
    for session in world.sessions.values():
        assert world.allocations[session.target].tv == session.source
    return counts == {1}


@methods
@lists_or_not
@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("commit", COMMITS)
def test_death_at_any_commit_leaves_all_or_nothing(tmp_path, lists, policy, commit, written):
    house = ready(tmp_path, lists, policy)
    before = ids(house)
    day(house)
    came_so_far = house.dying(commit, written, lambda: house.backup(*MEMBERS))
    made = whole_or_nothing(house, before, house.stamp)
    assert made or came_so_far
    night(house)
    assert all(len(house.generations(name)) == 1 for name in MEMBERS)


@pytest.mark.parametrize(("lists", "pair"), [(True, None), (False, None), (False, 0), (False, 1), (False, 2)])
@pytest.mark.parametrize("kind", ["killed_before", "killed_after", "lost", "unreachable"])
@pytest.mark.parametrize(
    ("policy", "method"),
    [({}, "suspend"), ({}, "release"), ({"suspend": True}, "suspend"), ({"method": "snapshot"}, "start")],
    ids=str,
)
def test_death_or_silence_at_any_request_leaves_all_or_nothing(tmp_path, lists, policy, kind, method, pair):
    house = ready(tmp_path, lists, policy)
    before = ids(house)
    day(house)
    house.array.faults.append(Fault(method, kind, pair=pair))
    with contextlib.suppress(Killed, BackupError):
        house.backup(*MEMBERS)
    house.array.faults.clear()
    house.clock.sleep(300)
    whole_or_nothing(house, before, house.stamp)
    night(house)
    assert all(len(house.generations(name)) == 1 for name in MEMBERS)


@lists_or_not
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("pair", [None, 0, 1, 2])
def test_death_while_a_group_is_taken_back_is_mended_too(tmp_path, lists, when, pair):
    house = ready(tmp_path, lists, {})
    before = ids(house)
    day(house)
    house.array.faults.append(Fault("resume", f"killed_{when}", pair=pair))
    broken = house.look().active_mirror(house.by_name["archive"].ref)
    suspend = house.array.suspend

    def loses_one(*args):
        outcomes = suspend(*args)
        house.fabric.set_state(broken.source, broken.target, SessionState.FAILED)
        return outcomes

    house.array.suspend = loses_one
    with contextlib.suppress(Killed, BackupError):
        house.backup(*MEMBERS)
    house.array.suspend = suspend
    house.array.faults.clear()
    house.clock.sleep(300)
    with contextlib.suppress(BackupError):
        house.cancel("oradata")
    with house.catalog.read() as records:
        assert not records.open_entries()
    assert ids(house) == before


@pytest.mark.rule("R9.21")
@lists_or_not
def test_the_mending_run_of_one_member_holds_the_leases_of_all(tmp_path, lists):
    house = ready(tmp_path, lists, {})
    house.equivalent(*MEMBERS)
    house.array.faults.append(Fault("suspend", "killed_after"))
    with pytest.raises(Killed):
        house.backup(*MEMBERS)
    with pytest.raises(BackupError) as caught:
        house.start("redolog")
    assert caught.value.error_class.value == "busy"
    house.clock.sleep(300)
    house.start("redolog")
    with house.catalog.read() as records:
        assert not records.open_entries()
        assert not records.leases()


@pytest.mark.parametrize("deadline", [None, 20])
def test_the_next_backup_waits_for_the_pairs_that_it_resynchronizes_but_not_beyond_its_deadline(tmp_path, deadline):
    house = ready(tmp_path, False, {})
    before = ids(house)
    day(house)
    house.fabric.copy_seconds = 400.0
    house.array.faults.append(Fault("suspend", "killed_after", pair=0))
    with contextlib.suppress(Killed):
        house.backup(*MEMBERS)
    house.array.faults.clear()
    house.clock.sleep(300)
    until = house.clock.now() + timedelta(seconds=deadline) if deadline else None
    request = BackupRequest("night", max_skew=timedelta(hours=1), deadline=until)
    if deadline:
        with pytest.raises(BackupError, match="executing"):
            take_backup(house.context(), MEMBERS, request, wait=Wait(1.0, 600.0))
        assert house.clock.now() < until + timedelta(seconds=5)
    else:
        assert take_backup(house.context(check=True), MEMBERS, request, wait=Wait(1.0, 600.0)).changed
        taken = take_backup(house.context(), MEMBERS, request, wait=Wait(1.0, 600.0)).values["backups"]
        assert len(ids(house) - before) == len(taken) == len(MEMBERS)


def test_an_array_that_goes_while_the_next_backup_waits_leaves_no_word_of_nothing_changed(tmp_path):
    house = ready(tmp_path, False, {})
    day(house)
    house.fabric.copy_seconds = 400.0
    house.array.faults.append(Fault("suspend", "killed_after", pair=0))
    with contextlib.suppress(Killed):
        house.backup(*MEMBERS)
    house.array.faults.clear()
    house.clock.sleep(300)
    sessions, looks = house.array.sessions, []

    def gone(*args, **kwargs):
        looks.append(args)
        with house.catalog.read() as records:
            if len(looks) > 1 and not records.open_entries():
                raise BackupError(ErrorClass.ARRAY_UNREACHABLE, "The array is gone.", next_step="Try again.")
        return sessions(*args, **kwargs)

    house.array.sessions = gone
    with pytest.raises(BackupError) as caught:
        take_backup(house.context(), MEMBERS, BackupRequest("night"), wait=Wait(1.0, 600.0))
    assert caught.value.error_class is ErrorClass.ARRAY_UNREACHABLE
    assert caught.value.changed
    assert "taken back" in caught.value.unchanged
