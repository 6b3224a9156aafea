# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads that cost what they find, in a catalog that many arrays share, on both databases."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import SqlCatalog, open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    ArrayRecord,
    JournalEntry,
    Policy,
    Role,
    StepState,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.rows import Rows
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import (
    NOW,
    allocation,
    ref,
    registered,
)
from ansible_collections.eternus.backup.tests.unit.support.postgres import Postgres

ONE, TWO, THREE = "ET1", "ET2", "ET_3%"


def filled(catalog: SqlCatalog) -> None:
    """Two arrays with a TV and two BVs each, a third with a TV; a pin and an allocation across."""
    with catalog.begin() as records:
        for serial in (ONE, TWO, THREE):
            records.put_array(ArrayRecord(serial, serial, NOW, {"url": serial}))
        records.put_array(ArrayRecord("ET9", "ET9", NOW, {}))
        records.put_volumes([registered(1, Role.TRANSACTION, serial) for serial in (ONE, TWO, THREE)])
        records.put_volumes([registered(number, Role.BACKUP, serial) for serial in (ONE, TWO) for number in (10, 11)])
        records.allocate([replace(allocation(10), bv=ref(10, ONE), tv=ref(1, ONE))])
        records.allocate([replace(allocation(10), bv=ref(10, TWO), tv=ref(1, ONE))])
        records.allocate([replace(allocation(11), bv=ref(11, TWO), tv=ref(1, TWO))])
        records.put_policies(
            [
                Policy(ref(1, ONE), 1, group="erp", sync_slot="night"),
                Policy(ref(1, TWO), 1, pinned=(ref(11, ONE),), group="erp"),
                Policy(ref(1, THREE), 1, pinned=(ref(11, TWO),), sync_slot="night"),
            ]
        )


def refs(found: Any) -> list[str]:
    return sorted(str(getattr(one, "ref", None) or getattr(one, "tv", None)) for one in found)


def test_the_arrays_that_have_a_registered_volume_are_named_once(catalog: SqlCatalog) -> None:
    with catalog.begin() as records:
        assert records.serials() == []
    filled(catalog)
    with catalog.read() as records:
        assert records.serials() == [ONE, TWO, THREE]
        assert [one.serial for one in records.arrays([TWO, ONE, "none"])] == [ONE, TWO]


def test_volumes_and_policies_are_found_by_their_arrays(catalog: SqlCatalog) -> None:
    filled(catalog)
    with catalog.read() as records:
        assert {one.ref.array for one in records.volumes(arrays=[ONE, THREE])} == {ONE, THREE}
        assert refs(records.volumes([ref(10, ONE), ref(10, TWO)], arrays=[TWO])) == [str(ref(10, TWO))]
        assert records.volumes(arrays=[]) == []
        assert refs(records.policies(arrays=[ONE])) == [str(ref(1, ONE))]


def test_an_allocation_is_found_by_either_of_its_arrays(catalog: SqlCatalog) -> None:
    filled(catalog)
    with catalog.read() as records:
        assert {one.bv for one in records.allocations(arrays=[ONE])} == {ref(10, ONE), ref(10, TWO)}
        assert {one.bv for one in records.allocations(arrays=[TWO])} == {ref(10, TWO), ref(11, TWO)}
        assert len(records.allocations(arrays=[ONE, TWO])) == 3


def test_policies_are_found_by_their_group(catalog: SqlCatalog) -> None:
    filled(catalog)
    with catalog.read() as records:
        assert refs(records.policies(groups=["erp", "none"])) == [str(ref(1, ONE)), str(ref(1, TWO))]
        assert records.policies(groups=[]) == []


def test_policies_elsewhere_count_where_they_pin_volumes_here_or_take_turns(catalog: SqlCatalog) -> None:
    filled(catalog)
    with catalog.read() as records:
        assert refs(records.policies_beyond([ONE], [])) == [str(ref(1, TWO))]
        assert refs(records.policies_beyond([ONE], ["night"])) == sorted([str(ref(1, TWO)), str(ref(1, THREE))])
        assert refs(records.policies_beyond([THREE], ["night"])) == [str(ref(1, ONE))]
        assert records.policies_beyond([], [""]) == []


def test_open_steps_and_leases_are_found_by_what_they_are_called(catalog: SqlCatalog) -> None:
    entries = [
        JournalEntry(f"J{n}", f"O{n % 2}", "start", ref(n), {}, StepState.INTENDED, NOW + timedelta(seconds=n))
        for n in range(4)
    ]
    with catalog.begin() as records:
        records.intend(entries)
        records.take_leases(["volume:a", "volume:b"], "me", NOW, 60)
        assert [one.id for one in records.open_entries(operations=["O1"])] == ["J1", "J3"]
        assert [one.id for one in records.open_entries([ref(1), ref(2)], operations=["O1"])] == ["J1"]
        assert records.open_entries(operations=[]) == []
        assert [one.name for one in records.leases(["volume:b", "volume:c"])] == ["volume:b"]


def test_a_volume_named_with_its_array_costs_no_row_of_its_namesakes(
    catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(catalog)
    plain, rows = Rows._all, []

    def counted(self: Rows, what: Any, where: Any) -> Any:
        found = plain(self, what, where)
        rows.extend(found)
        return found

    monkeypatch.setattr(Rows, "_all", counted)
    with catalog.read() as records:
        device = ref(10, TWO).device_id
        names = [f"{ONE}/vol1", f"{TWO}/vol1", f"{TWO}/{device}", f"{TWO}/wwn-0x{device.lower()}"]
        assert [one.ref for one in records.find_volumes(names).values()] == [
            ref(1, ONE),
            ref(1, TWO),
            ref(10, TWO),
            ref(10, TWO),
        ]
    assert len(rows) == 3


def test_a_catalog_on_postgresql_is_opened_and_read_by_one_connection(postgres: Postgres) -> None:
    url = postgres.new_url()
    with closing(open_catalog(url)) as catalog, catalog.begin():
        pass
    made: list[object] = []

    def count(_dbapi: object, record: object) -> None:
        made.append(record)

    sa.event.listen(sa.pool.Pool, "connect", count)
    try:
        with closing(open_catalog(url)) as catalog:
            for _time in range(2):
                with catalog.read() as records:
                    assert records.serials() == []
                with catalog.begin() as records:
                    records.fence([])
    finally:
        sa.event.remove(sa.pool.Pool, "connect", count)
    assert len(made) == 1
