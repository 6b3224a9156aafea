# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every value comes back from the database as it went there."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog import model, schema
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import SqlCatalog, open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.shape import Shape, moment
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.strategies import json, text, times

PAIRS = [
    (schema.ARRAY, model.ArrayRecord),
    (schema.VOLUME, model.RegisteredVolume),
    (schema.POLICY, model.Policy),
    (schema.ALLOCATION, model.Allocation),
    (schema.DISK, model.DiskCopy),
    (schema.PART, model.TapePart),
    (schema.READER, model.Reader),
    (schema.LEASE, model.Lease),
    (schema.UNDEFINED, model.UndefinedTarget),
    (schema.POOL, model.TapePool),
    (schema.CARTRIDGE, model.Cartridge),
]


@pytest.mark.parametrize(("shape", "made"), PAIRS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_row_gives_back_its_value(shape: Shape, made: type) -> None:
    @settings(max_examples=40, deadline=None)
    @given(st.builds(made))
    def check(value: object) -> None:
        row = shape.row(value)
        assert set(row) == set(shape.columns())
        assert {type(one) for one in row.values()} <= {str, int, bool, type(None)}
        assert shape.value(row) == value

    check()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entry=st.builds(model.JournalEntry, payload=st.dictionaries(text, json), state=st.just(model.StepState.INTENDED)),
    volume=st.builds(model.RegisteredVolume),
    pinned=st.lists(st.builds(VolumeRef)).map(tuple),
    generations=st.integers(0, 99),
)
def test_a_database_gives_back_what_it_was_given(
    catalog: SqlCatalog,
    entry: model.JournalEntry,
    volume: model.RegisteredVolume,
    pinned: tuple[VolumeRef, ...],
    generations: int,
) -> None:
    policy = model.Policy(volume.ref, generations, pinned=pinned)
    with pytest.raises(InterruptedError), catalog.begin() as records:
        records.intend([entry])
        records.put_volumes([volume])
        records.put_policies([policy])
        assert records.open_entries() == [entry]
        assert records.volumes() == [volume]
        assert records.find_volumes([volume.name]) == {volume.name: volume}
        assert records.policies() == [policy]
        raise InterruptedError  # leave nothing for the next example


@settings(deadline=None)
@given(st.lists(times, min_size=2))
def test_stored_times_sort_as_times_do(found: list[datetime]) -> None:
    assert sorted(found) == sorted(found, key=moment)


def test_a_time_without_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without zone"), open_catalog(f"sqlite:///{tmp_path}/c.db").begin() as records:
        records.put_pool(model.TapePool("p", model.PoolKind.PRIVATE, datetime(2026, 1, 1)))  # noqa: DTZ001
