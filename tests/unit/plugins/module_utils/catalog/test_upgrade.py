# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A catalog of an earlier release becomes one of this release: whole, or not at all (DESIGN.md, Catalog)."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._catalog import schema
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    DiskState,
    RestoreTest,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.whole import WholeRows
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog import version1, version2, version3
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import NOW

TV, BV = (VolumeRef("A1", version1.DEVICE.format(number)) for number in (1, 2))


def shape(url: str) -> dict[str, Any]:
    """Return the version, columns and indexes that a database holds."""
    with closing(open_catalog(url, read_only=True, older=True)) as catalog, catalog.read() as records:
        there = sa.inspect(records._connection)
        return {
            "version": schema.version_of(records._connection),
            **{
                name: (
                    sorted((one["name"], one["nullable"]) for one in there.get_columns(name)),
                    sorted(str(one["name"]) for one in there.get_indexes(name)),
                )
                for name in there.get_table_names()
            },
        }


@pytest.mark.rule("R9.26")
def test_a_catalog_of_version_1_is_upgraded_by_the_first_who_opens_it_to_write(url: str, tmp_path: Any) -> None:
    version1.make(url)
    before = shape(url)
    assert before["version"] == 1 and "eternus_restore_tests" not in before
    open_catalog(url).close()
    upgraded = shape(url)
    fresh = url.replace("catalog.db", "fresh.db") if url.startswith("sqlite") else f"sqlite:///{tmp_path}/fresh.db"
    with closing(open_catalog(fresh)) as catalog, catalog.begin():
        pass
    made = shape(fresh)
    if url.startswith("sqlite"):
        assert upgraded == made
    assert upgraded["version"] == schema.CURRENT == 4
    assert {name: columns for name, columns in upgraded.items() if name != "version"}.keys() == made.keys() - {
        "version"
    }
    assert ("consistent", True) in upgraded["eternus_backups"][0]
    assert ("skew_ms", True) in upgraded["eternus_backups"][0]
    indexes = ["eternus_tape_copies_by_number", "eternus_tape_copies_by_state"]
    assert upgraded["eternus_tape_copies"][1] == made["eternus_tape_copies"][1] == indexes
    open_catalog(url).close()
    assert shape(url) == upgraded


def test_what_an_earlier_release_wrote_reads_as_it_was(url: str) -> None:
    version1.make(url)
    with closing(open_catalog(url)) as catalog, catalog.begin() as records:
        first, second = records.backups()
        assert (first.id, first.key, first.group_id, first.hold) == ("B1", "night", "G", False)
        assert (first.consistent, first.skew_ms, second.consistent, second.skew_ms) == (None, None, None, None)
        assert first.disk is not None and (first.disk.bv, first.disk.state) == (BV, DiskState.VALID)
        assert first.tape[0].parts[0].barcode == "WK0001L8" and first.tape[0].verified_ok is True
        assert [one.id for one in records.unfinished_tape()] == ["B2"]
        assert [one.name for one in records.volumes()] == ["oradata", "bv01", "bv02"]
        assert [one.unknown for one in records.volumes()] == [False, False, True]
        assert records.policies()[0].group == "grp"
        assert records.allocations()[0].suspended_at is not None
        assert records.readers()[0].backup_id == "B1"
        assert [one.id for one in records.open_entries()] == ["J2"]
        assert records.used_keys("night", [TV]) == {TV: "B1"}
        assert records.cartridges()[0].pool == records.pools()[0].name == "weekly"
        assert [one.token for one in records.leases()] == [41]
        assert records.take_leases(["volume:y"], "you", NOW, 60)[0].token == 42
        assert records.restore_tests() == []
        test = RestoreTest("R1", "B1", TV, BV, "disk", 0, NOW, True, 9, "ab")
        records.add_restore_test(test)
        assert records.restore_tests([TV]) == [test]


@pytest.mark.rule("R9.26")
def test_a_catalog_of_version_2_is_upgraded_by_the_first_who_opens_it_to_write(url: str, tmp_path: Any) -> None:
    version2.make(url)
    before = shape(url)
    assert before["version"] == 2 and ("location", False) not in before["eternus_cartridges"][0]
    open_catalog(url).close()
    upgraded = shape(url)
    fresh = url.replace("catalog.db", "fresh.db") if url.startswith("sqlite") else f"sqlite:///{tmp_path}/fresh.db"
    with closing(open_catalog(fresh)) as catalog, catalog.begin():
        pass
    made = shape(fresh)
    assert made.keys() == upgraded.keys()
    assert {name: upgraded[name] for name in ("eternus_cartridges", "eternus_pools", "version")} == {
        "eternus_cartridges": made["eternus_cartridges"],
        "eternus_pools": made["eternus_pools"],
        "version": 4,
    }
    open_catalog(url).close()
    assert shape(url) == upgraded


def test_cartridges_and_pools_of_version_2_are_neither_protected_nor_away_nor_unknown_and_append(url: str) -> None:
    version2.make(url)
    with closing(open_catalog(url)) as catalog, catalog.begin() as records:
        assert records.pools()[0].append is True
        first, second = records.cartridges()
        assert (first.barcode, first.pool, first.files, first.retired) == ("WK0001L8", "weekly", 3, False)
        assert (second.pool, second.full, second.suspect, second.retired) == ("", True, "it is worn", True)
        for one in (first, second):
            assert (one.protected_until, one.location, one.exported_at, one.unknown) == (None, "", None, False)
        assert [one.consistent for one in records.backups()] == [None, None, True]
        assert [one.id for one in records.restore_tests()] == ["R1"]
        changed = replace(first, protected_until=NOW, location="the safe", exported_at=NOW, unknown=True)
        records.put_cartridge(changed)
        records.put_pool(replace(records.pools()[0], append=False))
        assert records.cartridges(barcodes=["WK0001L8"]) == [changed]
        assert records.pools()[0].append is False


@pytest.mark.rule("R9.26")
def test_a_catalog_of_version_3_gets_the_indexes_of_this_one_and_keeps_every_row(url: str, tmp_path: Any) -> None:
    version3.make(url)
    assert shape(url)["version"] == 3
    with closing(open_catalog(url, read_only=True, older=True)) as catalog, catalog.read() as records:
        before = list(WholeRows.of(records).rows())
    with closing(open_catalog(url)) as catalog, catalog.read() as records:
        assert list(WholeRows.of(records).rows()) == before
        assert records.cartridges(barcodes=["WK0003L8"])[0].location == "the safe"
    fresh = f"sqlite:///{tmp_path}/fresh.db"
    with closing(open_catalog(fresh)) as catalog, catalog.begin():
        pass
    upgraded, made = shape(url), shape(fresh)
    assert upgraded["version"] == 4
    for table in ("backups", "tape_copies", "tape_parts", "journal", "restore_tests"):
        assert set(made[f"eternus_{table}"][1]) <= set(upgraded[f"eternus_{table}"][1])


@pytest.mark.rule("R4.33")
def test_a_task_that_only_reads_is_refused_an_older_catalog_and_leaves_it(url: str) -> None:
    version1.make(url)
    before = shape(url)
    with pytest.raises(BackupError) as caught:
        open_catalog(url, read_only=True)
    assert caught.value.error_class is ErrorClass.CATALOG_SCHEMA
    assert caught.value.details == {"found": 1, "known": schema.CURRENT}
    assert shape(url) == before


def _die_at(url: str, number: int) -> None:
    """Open the catalog to write, and die as by kill -9 before the writing statement of this number."""
    seen: list[str] = []

    def count(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.extend([statement] * statement.strip().startswith(("CREATE", "ALTER", "UPDATE", "INSERT")))
        if len(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    open_catalog(url).close()
    os._exit(0)


@pytest.mark.parametrize(("earlier", "statements"), [(version1, 12), (version2, 6), (version3, 5)])
def test_a_process_that_dies_amid_an_upgrade_leaves_the_old_version_whole_and_the_next_one_upgrades(
    url: str, earlier: Any, statements: int
) -> None:
    earlier.make(url)
    before = shape(url)
    died = 0
    for number in range(1, 50):
        child = multiprocessing.get_context("fork").Process(target=_die_at, args=(url, number))
        child.start()
        child.join()
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
        assert shape(url) == before
        died += 1
    assert died >= statements, "columns, tables, indexes and the version are written"
    assert shape(url)["version"] == schema.CURRENT
    with closing(open_catalog(url)) as catalog, catalog.read() as records:
        assert len(records.backups()) >= 2
