# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which registrations are accepted (behaviour.md §4), by values."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    CopyType,
    Session,
    SessionState,
    Volume,
    VolumeRef,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_registry import (
    plan_register,
    plan_unregister,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    Backup,
    Method,
    Policy,
    Reader,
    ReaderPurpose,
    RegisteredVolume,
    Role,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import ErrorClass

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
LATER = NOW + timedelta(days=1)
TV, BV = (VolumeRef("A", f"600000E00D2A0000002A0115{number:04X}0000") for number in (1, 2))
VOLUMES = {TV: Volume(TV, "ora", 2048), BV: Volume(BV, "bv", 2048)}
KNOWN = {
    TV: RegisteredVolume(VOLUMES[TV], Role.TRANSACTION, NOW),
    BV: RegisteredVolume(VOLUMES[BV], Role.BACKUP, NOW),
}
BACKUP = Backup("X", TV, NOW, Method.SYNCHRONIZED, CopyType.EC, False, 2048 * 512)
SESSION = Session(TV, BV, CopyType.EC, SessionState.EQUIVALENT)

HOLDING = {
    "history": ({"backups": {TV: (BACKUP,)}}, TV),
    "serving": ({"allocations": {BV: Allocation(BV, TV, CopyType.EC, NOW)}}, BV),
    "served": ({"allocations": {BV: Allocation(BV, TV, CopyType.EC, NOW)}}, TV),
    "source of a session": ({"sessions": {SESSION.key: SESSION}}, TV),
    "target of a session": ({"sessions": {SESSION.key: SESSION}}, BV),
    "read": ({"readers": {BV: (Reader(BV, "X", ReaderPurpose.TAPE, "me", NOW),)}}, BV),
}
DECLARED = {
    "policy": ({"policies": {TV: Policy(TV, 1)}}, TV),
    "pinned": ({"policies": {TV: Policy(TV, 1, pinned=(BV,))}}, BV),
}


def world(**more) -> World:
    return World(now=NOW, **{"volumes": KNOWN, **more})


def other(role: Role) -> Role:
    return Role.BACKUP if role is Role.TRANSACTION else Role.TRANSACTION


def test_a_new_volume_is_registered_and_a_second_time_changes_nothing():
    first = plan_register(world(volumes={}), VOLUMES.values(), Role.BACKUP, NOW)
    assert [one.ref for one in first.put] == [TV, BV]
    again = plan_register(world(volumes={one.ref: one for one in first.put}), VOLUMES.values(), Role.BACKUP, LATER)
    assert (again.changed, again.refusals) == (False, ())


@pytest.mark.rule("R4.39")
@pytest.mark.parametrize("ref", [TV, BV])
def test_a_role_changes_while_nothing_uses_the_volume(ref):
    plan = plan_register(world(), [VOLUMES[ref]], other(KNOWN[ref].role), LATER)
    assert plan.put == (replace(KNOWN[ref], role=other(KNOWN[ref].role)),)


@pytest.mark.rule("R4.39")
@pytest.mark.parametrize(("state", "ref"), {**HOLDING, **DECLARED}.values(), ids={**HOLDING, **DECLARED})
def test_a_volume_in_use_keeps_its_role_and_its_registration(state, ref):
    for plan in (
        plan_register(world(**state), [VOLUMES[ref]], other(KNOWN[ref].role), LATER),
        plan_unregister(world(**state), [ref], None),
    ):
        assert [one.error_class for one in plan.refusals] == [ErrorClass.ROLE_CONFLICT]
        assert plan.refusals[0].details["uses"]
        assert plan.put == ()


@pytest.mark.parametrize(("state", "ref"), HOLDING.values(), ids=HOLDING)
def test_a_volume_that_holds_something_is_refused_with_another_size(state, ref):
    grown = replace(VOLUMES[ref], blocks=4096)
    plan = plan_register(world(**state), [grown], KNOWN[ref].role, LATER)
    assert [one.error_class for one in plan.refusals] == [ErrorClass.SIZE_MISMATCH]
    assert plan.refusals[0].details["registered_blocks"] == 2048


@pytest.mark.parametrize(("state", "ref"), [({}, BV), *DECLARED.values()], ids=["free", *DECLARED])
def test_a_volume_that_holds_nothing_takes_over_its_new_size(state, ref):
    grown = replace(VOLUMES[ref], blocks=4096)
    plan = plan_register(world(**state), [grown], KNOWN[ref].role, LATER)
    assert plan.put == (replace(KNOWN[ref], volume=grown),)


@pytest.mark.parametrize(("state", "ref"), HOLDING.values(), ids=HOLDING)
def test_a_new_name_or_path_is_taken_over_whatever_the_volume_holds(state, ref):
    renamed = replace(VOLUMES[ref], name="new", path="root/eternus:X")
    plan = plan_register(world(**state), [renamed], KNOWN[ref].role, LATER)
    assert plan.put == (replace(KNOWN[ref], volume=renamed),)


def test_an_unknown_volume_stays_unknown():
    unknown = {BV: replace(KNOWN[BV], unknown=True)}
    assert not plan_register(world(volumes=unknown), [VOLUMES[BV]], Role.BACKUP, LATER).changed
    renamed = replace(VOLUMES[BV], name="new")
    assert plan_register(world(volumes=unknown), [renamed], Role.BACKUP, LATER).put[0].unknown


def test_one_refusal_is_listed_beside_the_others():
    state = {"policies": {TV: Policy(TV, 1, pinned=(BV,))}}
    plan = plan_unregister(world(**state), [TV, BV], None)
    assert len(plan.refusals) == 2


def test_a_volume_of_another_role_is_not_unregistered_by_mistake():
    plan = plan_unregister(world(), [TV, BV], Role.BACKUP)
    assert [one.error_class for one in plan.refusals] == [ErrorClass.ROLE_CONFLICT]
    assert plan_unregister(world(), [BV], Role.BACKUP).removed == (KNOWN[BV],)
