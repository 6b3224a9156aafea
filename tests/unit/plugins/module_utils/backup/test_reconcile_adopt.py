# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reconcile: sessions are adopted, and volumes accepted, by name only; a lost catalog is found again (DESIGN.md)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._backup import registry
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift import REPAIRABLE, DriftKind
from ansible_collections.eternus.backup.plugins.module_utils._backup.reconcile import reconcile
from ansible_collections.eternus.backup.plugins.module_utils._backup.reconcile_orders import Orders, orders_of
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError


def run(house, *repair, check=False, **orders):
    kinds = frozenset(REPAIRABLE) if repair == ("everything",) else frozenset(map(DriftKind, repair))
    return reconcile(house.context(check=check), Orders(repair=kinds, **orders))


def kinds(result):
    return [row["kind"] for row in result.values["drift"]]


def by_hand(house, source, target, copy_type=CopyType.EC, state=None):
    pair = Pair(house.by_name[source], house.by_name[target])
    (outcome,) = house.array.start(copy_type, [pair], track=copy_type is CopyType.QUICK_OPC)
    assert outcome.error is None
    house.clock.sleep(2)
    if state is not None:
        house.fabric.set_state(*pair.key, state)


def distrusted(house, *names):
    return run(house, distrust=names)


def unknown(house):
    return sorted(volume.name for volume in house.look().volumes.values() if volume.unknown)


@pytest.fixture
def house2(house):
    """One TV with a policy and two unused BVs."""
    house.tv("oradata", 2, suspend=True)
    return house


@pytest.mark.rule("R9.24")
@pytest.mark.parametrize("named", [("oradata", "bv1"), ("", "bv1")])
def test_a_suspended_session_is_adopted_by_name_and_its_next_start_copies_the_differences(house2, named):
    by_hand(house2, "oradata", "bv1", state=SessionState.SUSPENDED)
    before = house2.everything()
    planned = run(house2, adopt=(named,), check=True)
    assert planned.changed and house2.everything() == before
    done = run(house2, adopt=(named,))
    assert done.values == planned.values
    assert done.values["repaired"] == ["foreign_session: oradata -> bv1"]
    assert not run(house2, adopt=(named,)).changed
    assert house2.generations("oradata") == []
    house2.clock.sleep(60)
    assert house2.start("oradata").values["synchronizations"][0]["action"] == "resumed"


@pytest.mark.parametrize("state", [SessionState.EXECUTING, SessionState.EQUIVALENT])
def test_an_active_session_becomes_the_current_synchronization(house2, state):
    by_hand(house2, "oradata", "bv1", state=state)
    run(house2, adopt=(("oradata", "bv1"),))
    house2.equivalent("oradata")
    assert [row["action"] for row in house2.start("oradata").values["synchronizations"]] == ["none"]
    house2.backup("oradata")
    assert house2.on("oradata") == ["bv1"]


@pytest.mark.rule("R9.24")
def test_a_tracked_session_is_bound_without_a_generation(house2):
    by_hand(house2, "oradata", "bv1", CopyType.QUICK_OPC, state=SessionState.TRACKING)
    assert run(house2, adopt=(("", "bv1"),)).changed
    row = house2.look().allocations[house2.by_name["bv1"].ref]
    assert (row.copy_type, row.suspended_at) == (CopyType.QUICK_OPC, None)
    assert run(house2).values["clean"]


def test_the_next_differential_backup_resumes_an_adopted_tracked_session(house):
    house.tv("oradata", 2, method="differential")
    by_hand(house, "oradata", "bv1", CopyType.QUICK_OPC)
    house.clock.sleep(60)
    run(house, adopt=(("oradata", "bv1"),), accept=("bv2",))
    house.backup("oradata")
    assert house.array.calls[-1][0] == "resume"
    assert house.on("oradata") == ["bv1"]


def test_an_adoption_does_not_hide_that_the_other_bvs_may_carry_something(house2):
    by_hand(house2, "oradata", "bv1", state=SessionState.SUSPENDED)
    done = run(house2, adopt=(("", "bv1"),))
    assert not done.values["clean"] and any("bv2 counts as unused" in told for told in done.warnings)


def test_an_adoption_is_clean_where_the_other_bvs_are_accepted(house2):
    by_hand(house2, "oradata", "bv1", state=SessionState.SUSPENDED)
    assert run(house2, adopt=(("", "bv1"),), accept=("bv2",)).values["clean"]


def test_a_session_that_is_not_there_or_is_ours_is_no_change(house2):
    result = run(house2, adopt=(("", "bv1"), ("oradata", "bv2")))
    assert not result.changed
    assert result.warnings == [
        "There is no session onto bv1 to adopt.",
        "There is no session from oradata onto bv2 to adopt.",
    ]
    house2.start("oradata")
    assert not run(house2, adopt=(("oradata", "bv1"),)).changed


def test_a_session_that_does_not_fit_is_not_adopted_and_nothing_is(house2, refused):
    house2.volume("big", Role.BACKUP, blocks=4096)
    house2.volume("free", None)
    house2.volume("other", Role.TRANSACTION)
    house2.volume("bv9", Role.BACKUP)
    by_hand(house2, "oradata", "bv1", state=SessionState.SUSPENDED)
    adopt = ("oradata", "bv1")
    refused("not_registered", run, house2, adopt=(adopt, ("oradata", "free")))
    refused("not_registered", run, house2, adopt=(adopt, ("nix", "bv2")))
    by_hand(house2, "free", "bv2")
    refused("not_registered", run, house2, adopt=(adopt, ("", "bv2")))
    by_hand(house2, "oradata", "other")
    refused("role_conflict", run, house2, adopt=(adopt, ("oradata", "other")))
    by_hand(house2, "oradata", "bv9", CopyType.OPC)
    refused("unsupported_copy", run, house2, adopt=(adopt, ("oradata", "bv9")))


@pytest.mark.parametrize(
    ("state", "error_class"),
    [(SessionState.FAILED, "copy_failed"), (SessionState.RESTORING, "busy"), (SessionState.UNKNOWN, "copy_failed")],
)
def test_a_session_in_trouble_is_not_adopted(house2, refused, state, error_class):
    by_hand(house2, "oradata", "bv1", state=state)
    refused(error_class, run, house2, adopt=(("oradata", "bv1"),))


def test_a_volume_has_one_running_session(house2, refused):
    house2.start("oradata")
    by_hand(house2, "oradata", "bv2")
    refused("policy_violation", run, house2, adopt=(("oradata", "bv2"),))
    house2.clock.sleep(60)
    house2.fabric.set_state(house2.by_name["oradata"].ref, house2.by_name["bv2"].ref, SessionState.SUSPENDED)
    assert run(house2, adopt=(("oradata", "bv2"),)).changed


def test_a_bv_that_serves_another_is_not_adopted(house2, refused):
    house2.tv("redolog")
    house2.cycle("oradata")
    house2.fabric.copies.clear()
    by_hand(house2, "redolog", "bv1", state=SessionState.SUSPENDED)
    refused("volume_reserved", run, house2, adopt=(("redolog", "bv1"),))


def test_a_bv_of_another_size_is_not_adopted(house2, refused):
    ref = house2.by_name["bv1"].ref
    by_hand(house2, "oradata", "bv1", state=SessionState.SUSPENDED)
    with house2.catalog.begin() as records:
        (row,) = records.volumes([ref])
        records.put_volumes([replace(row, volume=replace(row.volume, blocks=4096))])
    refused("size_mismatch", run, house2, adopt=(("oradata", "bv1"),))


@pytest.mark.rule("R4.38")
def test_unknown_content_may_be_overwritten_only_when_it_is_accepted_by_name(house2):
    distrusted(house2, "bv1", "bv2")
    assert kinds(run(house2, "everything")) == ["unknown_volume", "unknown_volume"]
    assert house2.unused() == []
    before = house2.everything()
    planned = run(house2, accept=("bv2",), check=True)
    assert planned.values["repaired"] == ["unknown_volume: bv2"] and house2.everything() == before
    assert run(house2, accept=("bv2",)).values == planned.values
    assert not run(house2, accept=("bv2",)).changed
    assert (house2.unused(), unknown(house2)) == (["bv2"], ["bv1"])


def test_a_bv_is_distrusted_by_name_unless_it_is_in_use(house2, refused):
    assert distrusted(house2, "bv1").values["repaired"] == ["unexplained_volume: bv1"]
    assert not distrusted(house2, "bv1").changed
    house2.start("oradata")
    refused("volume_reserved", run, house2, distrust=("bv2",))
    refused("role_conflict", run, house2, distrust=("oradata",))
    refused("role_conflict", run, house2, accept=("oradata",))
    refused("invalid_option", run, house2, accept=("bv1",), distrust=("bv1",))
    refused("not_registered", run, house2, accept=("nix",))


def test_an_adopted_session_explains_what_is_on_an_unknown_bv(house2):
    distrusted(house2, "bv1")
    by_hand(house2, "oradata", "bv1", state=SessionState.SUSPENDED)
    run(house2, adopt=(("oradata", "bv1"),))
    assert unknown(house2) == []


def lose(house, tmp_path):
    """Lose the catalog, and register the volumes again in a new one, as an operator does by eternus_volume."""
    house.catalog = open_catalog(f"sqlite:///{tmp_path}/new.db", create=True)
    tvs = [name for name in house.by_name if not name.startswith("bv")]
    bvs = [name for name in house.by_name if name.startswith("bv")]
    registry.register(house.context(), tvs, Role.TRANSACTION)
    registry.register(house.context(), bvs, Role.BACKUP)
    for name in tvs:
        house.declare(name, suspend=True)


def test_a_lost_catalog_is_found_again_from_the_array(house, tmp_path):
    tv = house.tv("oradata", 4, suspend=True)
    house.tv("archive", 1, generations=1)
    house.cycle("archive", "oradata")
    house.cycle("oradata")
    house.clock.sleep(60)
    assert sorted(house.on("oradata") + house.on("archive")) == ["bv1", "bv2", "bv3"]
    content = {name: list(house.fabric.content[house.by_name[name].ref]) for name in ("bv1", "bv2", "bv3")}
    lose(house, tmp_path)
    # Two suspended sessions are seen; that the third BV carries the plain generation of archive, nothing tells.
    seen = run(house)
    assert not seen.values["clean"] and sorted(kinds(seen)) == [*["foreign_session"] * 2, *["unexplained_volume"] * 3]
    targets = [row["what"].split()[-1] for row in seen.values["drift"] if row["kind"] == "foreign_session"]
    done = run(house, "unexplained_volume", adopt=tuple(("oradata", bv) for bv in targets))
    assert len(done.values["repaired"]) == 5
    # Nothing is overwritten: whatever is not explained is never allocated.
    assert house.unused() == []
    with pytest.raises(BackupError):
        house.start("archive")
    for name, before in content.items():
        assert house.fabric.content[house.by_name[name].ref] == before
    # What was suspended last is the smallest difference; it is resumed, and nothing is copied as a whole.
    started = house.equivalent("oradata").values["synchronizations"][0]
    assert started["action"] == "resumed" and started["backup_volume"] == targets[-1]
    house.backup("oradata")
    assert (
        house.on("oradata") == [targets[-1]]
        and house.fabric.content[tv] == house.fabric.content[house.by_name[targets[-1]].ref]
    )
    # An operator looked at the rest.
    run(house, accept=("bv5",))
    assert house.unused() == ["bv5"]


def test_what_an_operator_accepts_by_name_is_not_made_unknown_by_a_repair(house):
    house.tv("oradata", 2)
    by_hand(house, "oradata", "bv1", state=SessionState.SUSPENDED)
    assert sorted(kinds(run(house))) == ["foreign_session", "unexplained_volume"]
    assert not run(house, "unexplained_volume", accept=("bv2",)).changed


def test_a_catalog_that_knows_backups_is_not_taken_for_a_lost_one(house):
    house.tv("oradata", 3)
    house.cycle("oradata")
    house.clock.sleep(60)
    by_hand(house, "oradata", "bv2", state=SessionState.SUSPENDED)
    assert kinds(run(house)) == ["foreign_session"]


def test_an_option_that_makes_no_sense_is_refused():
    base = {"repair": [], "adopt": [], "tapes": [], "volumes": [], "backup_volumes": [], "accept": [], "distrust": []}
    assert orders_of({**base, "adopt": ["bv1", {"source": "a", "target": "b"}]}).adopt == (("", "bv1"), ("a", "b"))
    for wrong in ({"adopt": [7]}, {"adopt": [{"source": "a"}]}, {"adopt": [{"target": "b", "x": 1}]}, {"adopt": [""]}):
        with pytest.raises(BackupError) as caught:
            orders_of({**base, **wrong})
        assert caught.value.error_class.value == "invalid_option"
    with pytest.raises(BackupError):
        orders_of({**base, "accept": [" "]})
    with pytest.raises(BackupError):
        orders_of({**base, "adopt": [{"source": 5, "target": "b"}]})
