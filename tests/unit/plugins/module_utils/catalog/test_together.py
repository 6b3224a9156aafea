# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many processes at one catalog."""

from __future__ import annotations

import multiprocessing
from datetime import timedelta

import sqlalchemy as sa

from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Role
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import (
    NOW,
    allocation,
    backup,
    copy,
    ref,
    registered,
)

PROCESSES = 4
SPAWN = multiprocessing.get_context("fork")


def together(work, url: str) -> list:
    """Run work(url, number, gate, answers) in several processes that start at once; return their answers."""
    gate, answers = SPAWN.Barrier(PROCESSES), SPAWN.Queue()
    started = [SPAWN.Process(target=work, args=(url, number, gate, answers)) for number in range(PROCESSES)]
    for one in started:
        one.start()
    found = [answers.get(timeout=60) for _one in started]
    for one in started:
        one.join(60)
    assert [one.exitcode for one in started] == [0] * PROCESSES
    return found


def _register(url, number, gate, answers):
    catalog = open_catalog(url)
    gate.wait()
    with catalog.begin() as records:
        records.put_volumes([registered(100 + number)])
    answers.put(number)


def test_processes_that_make_the_catalog_at_once_make_one(url: str) -> None:
    together(_register, url)
    with open_catalog(url).read() as records:
        assert len(records.volumes()) == PROCESSES


def _take_all(url, number, gate, answers):
    catalog = open_catalog(url)
    gate.wait()
    mine = []
    while True:
        with catalog.read() as records:  # observe
            taken = {one.bv for one in records.allocations()}
            free = [one.ref for one in records.volumes(role=Role.BACKUP) if one.ref not in taken]
        if not free:
            break
        try:
            with catalog.begin() as records:
                records.allocate([allocation(int(free[0].device_id[24:28], 16), number)])
            mine.append(free[0])
        except Conflict:
            continue
    answers.put(mine)


def test_processes_that_allocate_at_once_never_take_the_same_volume(url: str) -> None:
    with open_catalog(url).begin() as records:
        records.put_volumes([registered(number) for number in range(10, 40)])
    taken = [bv for mine in together(_take_all, url) for bv in mine]
    assert sorted(taken) == [ref(number) for number in range(10, 40)]


def _take_lease(url, number, gate, answers):
    catalog = open_catalog(url)
    gate.wait()
    try:
        with catalog.begin() as records:
            records.take_leases(["tv:a", f"tv:{number}"], f"owner{number}", NOW + timedelta(seconds=60), 60)
        answers.put(True)
    except BackupError:
        answers.put(False)


def test_of_processes_that_take_over_a_dead_lease_one_gets_it(url: str) -> None:
    with open_catalog(url).begin() as records:
        records.take_leases(["tv:a"], "dead", NOW, 60)
    assert sorted(together(_take_lease, url)) == [False] * (PROCESSES - 1) + [True]
    with open_catalog(url).read() as records:
        assert len(records.leases()) == 2


def test_history_of_a_volume_is_read_by_indexes(url: str) -> None:
    """No statement of a volume's history walks a table: what it costs depends on that history alone."""
    if not url.startswith("sqlite"):
        return
    with open_catalog(url).begin() as records:
        statements: list[tuple] = []
        sa.event.listen(
            records._connection,
            "before_cursor_execute",
            lambda _c, _cursor, statement, values, _context, _many: statements.append((statement, values)),
        )
        records.add_backups([backup("A", tape=(copy(),))])
        statements.clear()
        records.backups(tvs=[ref(1)])
        records.backups(ids=["A"])
        records.used_keys("k", [ref(1)])
        records.copies_on("A00001")
        records.open_entries()
        records.allocations(tvs=[ref(1)])
        records.find_volumes(["vol1"])
        asked = list(statements)
        plans = [
            (statement, step[-1])
            for statement, values in asked
            for step in records._connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
    assert len(asked) >= 12
    assert [one for one in plans if one[1].startswith("SCAN") and "INDEX" not in one[1]] == []
