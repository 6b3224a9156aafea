# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leases and the journal, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import JournalEntry, StepState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import NOW, ref


@pytest.mark.rule("R4.25")
def test_leases_are_taken_all_or_none_and_busy_says_who_and_since_when(catalog):
    with catalog.begin() as records:
        (held,) = records.take_leases(["tv:b"], "first", NOW, 60)
    with pytest.raises(BackupError) as caught, catalog.begin() as records:
        records.take_leases(["tv:a", "tv:b"], "second", NOW + timedelta(seconds=1), 60)
    assert caught.value.error_class is ErrorClass.BUSY
    assert "tv:b is held by first since 2026-03-29T01:59:59.123456+00:00" in caught.value.message
    with catalog.read() as records:
        assert records.leases() == [held]


def test_a_lease_that_ran_out_is_taken_over_and_its_old_owner_is_fenced(catalog):
    with catalog.begin() as records:
        old = records.take_leases(["tv:a"], "dead", NOW, 60)
    with catalog.begin() as records:
        new = records.take_leases(["tv:a"], "alive", NOW + timedelta(seconds=60), 60)
        assert new[0].token > old[0].token
        records.fence(new)
    for attempt in ("fence", "renew"):
        with pytest.raises(BackupError) as caught, catalog.begin() as records:
            if attempt == "fence":
                records.fence(old)
            else:
                records.renew_leases(old, NOW, 60)
        assert caught.value.error_class is ErrorClass.BUSY
        assert "alive" in caught.value.message
    with catalog.begin() as records:
        records.drop_leases(old)
        assert records.leases() == new


def test_tokens_never_repeat_also_after_a_lease_was_given_back(catalog):
    with catalog.begin() as records:
        first = records.take_leases(["tv:a"], "one", NOW, 60)
        records.drop_leases(first)
        assert records.leases() == []
        assert records.take_leases(["tv:a"], "one", NOW, 60)[0].token > first[0].token
    with pytest.raises(BackupError) as caught, catalog.begin() as records:
        records.fence(first)
    assert caught.value.error_class is ErrorClass.BUSY


def test_a_fence_of_hundreds_of_leases_is_one_count_and_misses_none(catalog):
    names = [f"tv:{number:03}" for number in range(500)]
    with catalog.begin() as records:
        leases = records.take_leases(names, "first", NOW, 60)
    sent = []
    with catalog.begin() as records:
        sa.event.listen(records._connection, "before_cursor_execute", lambda _c, _k, text, *_more: sent.append(text))
        records.fence(leases)
        assert len(sent) == 1
        assert "count(" in sent[0].lower()
        records.take_leases(names[250:251], "second", NOW + timedelta(seconds=61), 60)
        with pytest.raises(BackupError) as caught:
            records.fence(leases)
    assert caught.value.error_class is ErrorClass.BUSY
    assert "tv:250 is held by second" in caught.value.message


def test_a_lease_given_back_meanwhile_fences_its_owner(catalog):
    with catalog.begin() as records:
        taken = records.take_leases(["tv:a"], "one", NOW, 60)
        records.drop_leases(taken)
        with pytest.raises(BackupError, match="given back"):
            records.fence(taken)


def test_a_lease_is_prolonged_and_the_same_owner_gets_the_same_token(catalog):
    with catalog.begin() as records:
        taken = records.take_leases(["tv:a", "tv:b"], "one", NOW, 60)
        assert len({lease.token for lease in taken}) == 2
        renewed = records.renew_leases(taken, NOW + timedelta(seconds=90), 60)
        assert {lease.expires_at for lease in renewed} == {NOW + timedelta(seconds=150)}
        again = records.take_leases(["tv:a"], "one", NOW + timedelta(seconds=1), 60)
        assert (again[0].token, again[0].acquired_at) == (taken[0].token, NOW)


def entry(name: str, tv: int = 1, **payload: object) -> JournalEntry:
    return JournalEntry(name, "op", "start", ref(tv), payload, StepState.INTENDED, NOW)


def test_open_entries_come_in_the_order_of_writing_until_they_are_settled(catalog):
    entries = [entry("Z", bv="ä", list=[1, None, {"a": True}]), entry("A"), entry("M", 2)]
    with catalog.begin() as records:
        records.intend(entries[:1])
        records.intend(entries[1:])
    with catalog.begin() as records:
        assert records.open_entries() == entries
        assert records.open_entries([ref(1)]) == entries[:2]
        records.settle(["Z"], StepState.DONE, NOW)
        records.settle(["M"], StepState.UNDONE, NOW)
        assert records.open_entries() == entries[1:2]
    for change in (
        lambda records: records.intend([entry("A")]),
        lambda records: records.settle(["?"], StepState.DONE, NOW),
    ):
        with pytest.raises(Conflict), catalog.begin() as records:
            change(records)
