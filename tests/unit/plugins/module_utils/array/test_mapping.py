# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From CIM values to the field's words (array.md, Classes and Operations; behaviour.md §1)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._array import mapping
from ansible_collections.eternus.backup.plugins.module_utils._array.cim import Mode, SyncType
from ansible_collections.eternus.backup.plugins.module_utils._array.mapping import Offer
from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, SessionState
from ansible_collections.eternus.backup.plugins.module_utils._array.reading import device_of

C, S = CopyType, SessionState


@pytest.mark.rule("R1.6")
@pytest.mark.parametrize(
    ("copy_type", "copy_state", "progress", "state"),
    [
        (C.EC, 2, 6, S.EXECUTING),
        (C.EC, 3, 6, S.EXECUTING),
        (C.EC, 4, 2, S.EQUIVALENT),
        (C.EC, 4, 9, S.EQUIVALENT),
        (C.EC, 6, 2, S.SUSPENDED),
        (C.EC, 7, 3, S.SUSPENDED),
        (C.EC, 6, 7, S.EXECUTING),
        (C.EC, 3, 7, S.EXECUTING),
        (C.REC, 4, 2, S.EQUIVALENT),
        (C.REC, 13, 3, S.SUSPENDED),
        (C.REC, 16, 3, S.FAILED),
        (C.EC, 5, 3, S.FAILED),
        (C.EC, 12, 2, S.FAILED),
        (C.EC, 17, 2, S.FAILED),
        (C.EC, 9, 3, S.PAUSED),
        (C.EC, 6, 8, S.RESTORING),
        (C.EC, 18, 2, S.SUSPENDED),
        (C.OPC, 3, 6, S.EXECUTING),
        (C.OPC, 4, 6, S.EXECUTING),
        (C.OPC, 9, 3, S.PAUSED),
        (C.QUICK_OPC, 4, 6, S.EXECUTING),
        (C.QUICK_OPC, 4, 2, S.TRACKING),
        (C.QUICK_OPC, 13, 3, S.TRACKING),
        (C.QUICK_OPC, 4, 8, S.RESTORING),
        (C.SNAP_OPC, 4, 2, S.TRACKING),
        (C.EC, 99, 2, S.UNKNOWN),
        (C.EC, 0, 0, S.UNKNOWN),
    ],
)
def test_a_session_has_the_state_of_its_copystate_and_progress(
    copy_type: CopyType, copy_state: int, progress: int, state: SessionState
) -> None:
    assert mapping.state_of(copy_type, copy_state, progress) is state


@pytest.mark.rule("R1.6")
@given(st.sampled_from(CopyType), st.integers(0, 65535), st.integers(0, 65535))
def test_only_mirrors_are_equivalent_or_suspended_and_only_the_others_track(
    copy_type: CopyType, copy_state: int, progress: int
) -> None:
    state = mapping.state_of(copy_type, copy_state, progress)
    assert not (copy_type.mirror and state is S.TRACKING)
    assert copy_type.mirror or state not in (S.EQUIVALENT, S.SUSPENDED)


@pytest.mark.rule("R1.4")
@pytest.mark.parametrize(
    ("kind", "remote", "tracked", "copy_type"),
    [
        (3, False, True, C.EC),
        (3, True, True, C.REC),
        (4, False, False, C.SNAP_OPC),
        (5, False, False, C.OPC),
        (5, False, True, C.QUICK_OPC),
        (5, True, False, C.ROPC),
    ],
)
def test_copytype_and_place_and_tracking_tell_the_kind(
    kind: int, remote: bool, tracked: bool, copy_type: CopyType
) -> None:
    assert mapping.copy_type_of(kind, remote=remote, tracked=tracked) is copy_type


@pytest.mark.parametrize(
    ("types", "copies"),
    [
        ({2}, {C.EC}),
        ({4}, {C.REC}),
        ({5}, {C.REC}),
        ({6}, {C.SNAP_OPC}),
        ({7}, {C.SNAP_OPC}),
        ({10}, {C.OPC}),
        ({11}, {C.OPC}),
        ({12}, {C.ROPC}),
        ({13}, {C.ROPC}),
        ({3, 8, 9}, set()),
    ],
)
def test_a_copy_is_offered_only_by_its_replication_types(types: set[int], copies: set[CopyType]) -> None:
    assert Offer(frozenset(types), frozenset()).capabilities().copies == copies


def test_quickopc_is_offered_where_a_clone_can_be_resynced() -> None:
    assert C.QUICK_OPC in Offer(frozenset({11}), frozenset(), frozenset({8, 14})).capabilities().copies
    assert C.QUICK_OPC not in Offer(frozenset({11}), frozenset(), frozenset({8})).capabilities().copies
    assert C.QUICK_OPC not in Offer(frozenset({2}), frozenset(), frozenset({8, 14})).capabilities().copies


def test_lists_are_offered_by_their_actions() -> None:
    found = Offer(frozenset({2}), frozenset({2, 5, 6})).capabilities()
    assert (found.create_list, found.modify_list) == (False, True)
    found = Offer(frozenset({2}), frozenset({2, 5, 19})).capabilities()
    assert (found.create_list, found.modify_list) == (True, False)


def test_a_maximum_of_zero_is_not_told() -> None:
    assert Offer(frozenset(), frozenset()).capabilities().max_sessions_per_source is None
    assert Offer(frozenset(), frozenset(), maximum=32).capabilities().max_sessions_per_source == 32


@pytest.mark.parametrize(
    ("types", "copy_type", "mode"),
    [
        ({2}, C.EC, Mode.SYNCHRONOUS),
        ({4, 5}, C.REC, Mode.SYNCHRONOUS),
        ({5}, C.REC, Mode.ASYNCHRONOUS),
        ({10, 11}, C.OPC, Mode.ASYNCHRONOUS),
        ({10}, C.QUICK_OPC, Mode.SYNCHRONOUS),
    ],
)
def test_the_mode_is_one_that_the_array_offers(types: set[int], copy_type: CopyType, mode: Mode) -> None:
    assert Offer(frozenset(types), frozenset()).mode(copy_type) is mode


@pytest.mark.parametrize(
    ("offered", "many", "operation"),
    [
        ({12, 21}, False, 12),
        ({12, 21}, True, 21),
        ({12}, True, 12),
        ({21}, False, 21),
        (set(), False, 12),
        (set(), True, 21),
    ],
)
def test_a_mirror_is_suspended_by_fracture_or_split_as_offered(offered: set[int], many: bool, operation: int) -> None:
    offer = Offer(frozenset({2}), frozenset(), mirror_operations=frozenset(offered))
    assert offer.suspend_operation(many=many) == operation


def test_each_copy_is_asked_for_by_its_synctype() -> None:
    wanted = {copy_type: mapping.sync_type(copy_type) for copy_type in CopyType}
    assert {kind for kind, sync in wanted.items() if sync is SyncType.MIRROR} == {C.EC, C.REC}
    assert {kind for kind, sync in wanted.items() if sync is SyncType.CLONE} == {C.OPC, C.ROPC, C.QUICK_OPC}
    assert wanted[C.SNAP_OPC] is SyncType.SNAPSHOT


_NUMBERS = st.frozensets(st.integers(0, 65535))


@given(_NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS, st.integers(0, 2**63))
def test_what_is_kept_of_an_offer_is_the_offer(
    types: frozenset[int], actions: frozenset[int], clone: frozenset[int], mirror: frozenset[int], maximum: int
) -> None:
    offer = Offer(types, actions, clone, mirror, maximum)
    assert Offer.from_json(offer.as_json()) == offer


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"types": 1}', "no json", '{"types": ["x"]}'])
def test_what_was_kept_by_another_version_is_asked_again(text: str) -> None:
    assert Offer.from_json(text) is None


@pytest.mark.parametrize(
    ("purpose", "thin", "hidden"),
    [
        ("0000000000000000", False, False),
        ("0000000006000000", True, False),
        ("00000000FF000000", False, True),
        ("", False, False),
        ("Unrestricted", False, False),
    ],
)
def test_characters_8_and_9_of_purpose_tell_standard_from_thin_from_hidden(
    purpose: str, thin: bool, hidden: bool
) -> None:
    assert mapping.is_thin(purpose) is thin
    assert mapping.is_hidden(purpose) is hidden


@given(st.one_of(st.none(), st.datetimes(timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=9))]))))
def test_times_are_in_utc(value: Optional[datetime]) -> None:
    found = mapping.utc(value)
    assert found == value
    assert found is None or found.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_utc() -> None:
    assert mapping.utc(datetime(2026, 2, 1, 20)) == datetime(2026, 2, 1, 20, tzinfo=timezone.utc)  # noqa: DTZ001


@pytest.mark.parametrize(
    "name",
    [
        "600000e00d2a0000002a011500140000",
        "600000E00D2A0000002A011500140000",
        "wwn-0x600000e00d2a0000002a011500140000",
        "/dev/disk/by-id/wwn-0x600000e00d2a0000002a011500140000",
    ],
)
def test_a_volume_may_be_named_by_deviceid_or_wwn(name: str) -> None:
    assert device_of(name) == "600000E00D2A0000002A011500140000"


@pytest.mark.parametrize("name", ["oradata", "600000E0", "wwn-0x12", ""])
def test_any_other_name_is_a_name(name: str) -> None:
    assert device_of(name) is None
