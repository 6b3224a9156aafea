# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a catalog may hold, for Hypothesis: single values, and whole catalogs as rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Volume, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog import model, schema

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
times = st.datetimes(
    datetime(1, 1, 2),  # noqa: DTZ001
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=9))]),
)
whole = st.integers(-(2**31), 2**31 - 1)
json = st.recursive(
    st.none() | st.booleans() | whole | text, lambda inner: st.lists(inner) | st.dictionaries(text, inner)
)

st.register_type_strategy(str, text)
st.register_type_strategy(int, whole)
st.register_type_strategy(datetime, times)

names = st.lists(text, max_size=3, unique=True)
numbers = st.lists(st.integers(1, 9), max_size=2, unique=True)

Rows = list[tuple[str, dict[str, Any]]]


Draw = Callable[..., Any]


@st.composite
def catalogs(draw: Draw) -> Rows:
    """Draw the rows of a catalog that no constraint forbids, of every table."""
    refs = draw(st.lists(st.builds(VolumeRef), max_size=6, unique=True))
    ids = draw(names)
    bound = _some(draw, refs)
    rows = [*_volumes(draw, refs), *_allocations(draw, bound), *_backups(draw, ids, list(bound)), *_tape(draw)]
    for ref in refs:
        rows.append(("undefined_targets", schema.UNDEFINED.row(draw(st.builds(model.UndefinedTarget, st.just(ref))))))
        rows.append(("used_keys", schema.KEY.row(draw(st.builds(model.UsedKey, st.just(ref))))))
    for number, name in enumerate(ids, draw(st.integers(1, 99))):
        entry = st.builds(
            model.JournalEntry,
            st.just(name),
            payload=st.dictionaries(text, json, max_size=3),
            state=st.just(model.StepState.INTENDED),
        )
        rows.append(("journal", schema.ENTRY.row(draw(entry), sequence=number, settled_at=None)))
        rows.append(("arrays", schema.ARRAY.row(draw(st.builds(model.ArrayRecord, st.just(name))))))
        rows.append(("restore_tests", schema.TEST.row(draw(st.builds(model.RestoreTest, st.just(name))))))
    order = [one.name for one in schema.tables().metadata.sorted_tables]
    return sorted(rows, key=lambda one: order.index(f"eternus_{one[0]}"))


def _some(draw: Draw, values: list[Any]) -> list[Any]:
    return [value for value in values if draw(st.booleans())]


def _volumes(draw: Draw, refs: list[VolumeRef]) -> Rows:
    rows: Rows = []
    for ref in refs:
        volume = st.builds(model.RegisteredVolume, st.builds(Volume, st.just(ref)))
        rows.append(("volumes", schema.VOLUME.row(draw(volume))))
    for ref in _some(draw, refs):
        pinned = st.lists(st.sampled_from(refs), max_size=3).map(tuple)
        rows.append(("policies", schema.POLICY.row(draw(st.builds(model.Policy, st.just(ref), pinned=pinned)))))
    return rows


def _allocations(draw: Draw, bound: list[VolumeRef]) -> Rows:
    allocated = [draw(st.builds(model.Allocation, st.just(ref))) for ref in bound]
    read = [draw(st.builds(model.Reader, st.just(ref))) for ref in _some(draw, bound)]
    return [
        *(("allocations", schema.ALLOCATION.row(one)) for one in allocated),
        *(("readers", schema.READER.row(one)) for one in read),
    ]


def _backups(draw: Draw, ids: list[str], carrying: list[VolumeRef]) -> Rows:
    rows: Rows = []
    for name in ids:
        backup = draw(st.builds(model.Backup, st.just(name), disk=st.none(), tape=st.just(())))
        rows.append(("backups", schema.BACKUP.row(backup)))
        if carrying and draw(st.booleans()):
            disk = draw(st.builds(model.DiskCopy, st.just(carrying.pop())))
            rows.append(("disk_copies", schema.DISK.row(disk, backup_id=name)))
        for number in draw(numbers):
            copy = draw(st.builds(model.TapeCopy, st.just(number), parts=st.just(())))
            rows.append(("tape_copies", schema.TAPE.row(copy, backup_id=name)))
            for sequence in draw(numbers):
                part = draw(st.builds(model.TapePart, st.just(sequence)))
                rows.append(("tape_parts", schema.PART.row(part, backup_id=name, number=number)))
    return rows


def _tape(draw: Draw) -> Rows:
    pools, barcodes = draw(names), draw(names)
    rows: Rows = [("pools", schema.POOL.row(draw(st.builds(model.TapePool, st.just(one))))) for one in pools]
    for barcode in barcodes:
        row = schema.CARTRIDGE.row(draw(st.builds(model.Cartridge, st.just(barcode))))
        rows.append(("cartridges", {**row, "pool": draw(st.sampled_from([None, *pools]))}))
    return rows
