# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One array's work in a catalog that knows the volumes of a hundred: rows read, seconds, by how many there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import sqlalchemy as sa

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Volume, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.connected import opened, with_arrays
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.policies import declare
from ansible_collections.eternus.backup.plugins.module_utils._backup.registry import register
from ansible_collections.eternus.backup.plugins.module_utils._backup.synchronize import cancel, start
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    ArrayRecord,
    Media,
    Policy,
    RegisteredVolume,
    Role,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.rows import Rows
from ansible_collections.eternus.backup.plugins.module_utils._catalog.schema import (
    ALLOCATION,
    ARRAY,
    POLICY,
    VOLUME,
    tables,
)
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock
from ansible_collections.eternus.backup.tests.benchmark.figures import Figures
from ansible_collections.eternus.backup.tests.unit.support.simulated import Simulated

_CHUNK = 20_000
_TVS = 10
#: A declaration counts the backup volumes of all policies: it reads everything, which takes long beyond so many arrays.
_WHOLE = 10


def other_array(url: str, number: int, volumes: int) -> None:
    """Put another array into a catalog: half of its volumes TVs with a policy, the others BVs that serve them."""
    serial, now = f"OTHER{number:012d}", SystemClock().now()
    array, t = ArrayRecord(serial, serial, now, {}), tables()
    refs = [VolumeRef(serial, f"6{number:015X}{one:016X}") for one in range(volumes)]
    roles = [Role.TRANSACTION, Role.BACKUP]
    known = [
        RegisteredVolume(Volume(ref, f"o{number}v{one}", 128), roles[one % 2], now) for one, ref in enumerate(refs)
    ]
    pairs = list(zip(refs[::2], refs[1::2]))
    rows: list[tuple[sa.Table, list[dict[str, Any]]]] = [
        (t.arrays, [ARRAY.row(array)]),
        (t.volumes, [VOLUME.row(one) for one in known]),
        (t.policies, [POLICY.row(Policy(tv, 1, media=Media.DISK)) for tv, _bv in pairs]),
        (t.allocations, [ALLOCATION.row(Allocation(bv, tv, CopyType.EC, now)) for tv, bv in pairs]),
    ]
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for table, made in rows:
            for first in range(0, len(made), _CHUNK):
                connection.execute(sa.insert(table), made[first : first + _CHUNK])
    engine.dispose()


def forget_array(url: str, serial: str) -> None:
    """Take an array that was only registered, and its few copies, out of a catalog."""
    t = tables()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for column in (t.allocations.c.tv_array, t.policies.c.tv_array, t.volumes.c.ref_array, t.arrays.c.serial):
            connection.execute(sa.delete(column.table).where(column == serial))
    engine.dispose()


@contextmanager
def rows_read() -> Iterator[Callable[[], int]]:
    """Count the rows that the product reads meanwhile."""
    plain, counts = Rows._all, [0]

    def counted(self: Rows, what: Any, where: Any) -> list[Mapping[str, Any]]:
        found = plain(self, what, where)
        counts[0] += len(found)
        return found

    Rows._all = counted  # type: ignore[method-assign]
    try:
        yield lambda: counts[0]
    finally:
        Rows._all = plain  # type: ignore[method-assign]


def measure_big(
    figures: Figures, array: Simulated, names: Sequence[str], database: str, url: str, sizes: Sequence[int]
) -> None:
    """Register an array's volumes and start ten of them, with so many arrays in the catalog; the others grow."""
    others = 0
    half = len(names) // 2
    with closing(open_catalog(url)) as catalog, catalog.begin():
        pass
    for size in sizes:
        for number in range(others, size - 1):
            other_array(url, number, len(names))
        others = size - 1
        tag = f"scale_{database}_volumes{size * len(names)}"
        with closing(open_catalog(url)) as catalog, opened([array.options()]) as arrays:
            ctx = Context(catalog, arrays)
            begun, cpu = time.perf_counter(), time.process_time()
            for chosen, role in ((names[:half], Role.TRANSACTION), (names[half:], Role.BACKUP)):
                register(ctx, chosen, role, known=lambda serial: arrays[serial].known)
            figures.put(f"{tag}_register{len(names)}_seconds", time.perf_counter() - begun, "s")
            figures.put(f"{tag}_register{len(names)}_cpu", time.process_time() - cpu, "s")
            with catalog.begin() as records:
                tvs = [one.ref for one in records.find_volumes(names[:_TVS]).values()]
                records.put_policies([Policy(tv, 1, media=Media.DISK) for tv in tvs])
            with rows_read() as read:
                begun = time.perf_counter()
                work = partial(start, names=names[:_TVS])
                with_arrays([array.options()], catalog, check_mode=False, keep=True, work=work)
                figures.put(f"{tag}_start{_TVS}_seconds", time.perf_counter() - begun, "s")
                figures.put(f"{tag}_start{_TVS}_rows", read(), "rows")
                if size <= _WHOLE:
                    begun, before = time.perf_counter(), read()
                    wanted = [{"volume": name, "generations": 1, "media": "disk"} for name in names[:_TVS]]
                    declare(Context(catalog), wanted, strict=False)
                    figures.put(f"{tag}_declare{_TVS}_seconds", time.perf_counter() - begun, "s")
                    figures.put(f"{tag}_declare{_TVS}_rows", read() - before, "rows")
            ending = partial(cancel, names=names[:_TVS])
            with_arrays([array.options()], catalog, check_mode=False, keep=True, work=ending)
        forget_array(url, array.serial)
