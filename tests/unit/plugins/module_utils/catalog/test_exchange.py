# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole catalog out of one database and into another (behaviour.md §8, swstresback)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Volume
from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_entry import WORK
from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_export import export_catalog
from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_file import (
    Content,
    content_of,
    open_export,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog import schema
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Policy,
    PoolKind,
    RegisteredVolume,
    Role,
    StepState,
    TapePool,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.schema import CURRENT
from ansible_collections.eternus.backup.plugins.module_utils._catalog.staged import StagedRows, staged
from ansible_collections.eternus.backup.plugins.module_utils._catalog.whole import WholeRows
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog import version1, version2
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.conftest import House
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import (
    NOW,
    backup,
    copy,
    ref,
    registered,
)
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.strategies import Rows, catalogs
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.test_records_of_version_2 import PROOF
from ansible_collections.eternus.backup.tests.unit.support.postgres import Postgres

#: Hypothesis draws many catalogs; the databases of one test serve all of them.
MANY = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def work(state: str, url: str, path: Path | None = None, *, check: bool = False, **options: Any) -> Result:
    """Do what the module does."""
    params = {"catalog_url": url, "path": path and str(path), "force": False, "trust": True, **options}
    return WORK[state](params, check_mode=check)


def refused(error_class: ErrorClass, *how: Any, **options: Any) -> BackupError:
    with pytest.raises(BackupError) as caught:
        work(*how, **options)
    assert caught.value.error_class is error_class, caught.value
    assert caught.value.next_step
    return caught.value


@contextmanager
def whole(url: str) -> Iterator[WholeRows]:
    with closing(open_catalog(url, older=True)) as catalog, catalog.read() as records:
        yield WholeRows.of(records)


def content(url: str) -> Content:
    with whole(url) as rows:
        return content_of(rows.rows(), rows.tables())


def everything(url: str) -> tuple[Any, ...]:
    """Return what an import must leave as it is where it is refused, the leases included."""
    with closing(open_catalog(url, older=True)) as catalog, catalog.read() as records:
        rows = WholeRows.of(records)
        return list(rows.rows(filled=False)), rows.version, rows.last_token, records.leases()


def fill(house: House) -> None:
    """Let a house hold something in most tables."""
    with house.catalog.begin() as records:
        records.put_pool(TapePool("weekly", PoolKind.PRIVATE, NOW))
        records.put_policies([Policy(ref(1), 2, pinned=(ref(10), ref(11)))])
        records.add_backups([backup("A", 10, key="night", tape=(copy(1, TapeState.WRITTEN), copy(2)))])
        records.add_backups([backup("Ä\n", 11)])
        records.add_restore_test(PROOF)


@pytest.fixture
def second(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> str:
    """Return the URL of a catalog on the other database, which does not exist yet."""
    if not url.startswith("sqlite"):
        return f"sqlite:///{tmp_path}/second/catalog.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_url()


@pytest.mark.rule("R8.9")
@MANY
@given(catalogs())
def test_any_catalog_is_exported_and_imported_as_it_is_on_either_database(url: str, tmp_path: Path, rows: Rows) -> None:
    file = tmp_path / "export.jsonl"
    with staged() as source:
        source.fill([(1, *row) for row in rows], CURRENT)
        export_catalog(source.whole, file, NOW)
        there = content_of(source.whole.rows(), source.whole.tables())
    assert there.rows == len(rows)
    with closing(open_catalog(url)) as catalog, catalog.begin():
        pass  # an export without any row makes no catalog
    work("imported", url, file, force=True)
    assert content(url) == there
    assert not work("imported", url, file).changed
    assert not work("exported", url, file).changed
    with closing(open_catalog(url)) as catalog, catalog.read() as records:
        assert len(records.volumes()) == there.counts["volumes"]
        assert len(records.backups()) == there.counts["backups"]
        assert len(records.open_entries()) == there.counts["journal"]


def test_a_catalog_moves_to_the_other_database_and_back(house: House, second: str, tmp_path: Path) -> None:
    fill(house)
    first, again = tmp_path / "first", tmp_path / "again"
    assert work("exported", house.url, first).changed
    assert work("imported", second, first).changed
    assert content(second) == content(house.url)
    work("exported", second, again)
    assert first.read_bytes().splitlines()[1:-1] == again.read_bytes().splitlines()[1:-1]
    with closing(open_catalog(second)) as catalog, house.catalog.read() as here, catalog.read() as there:
        assert there.backups() == here.backups() != []
        assert there.policies() == here.policies() != []
        assert there.allocations() == here.allocations() != []
        assert there.restore_tests() == [PROOF]


def test_an_export_is_one_state_whoever_writes_meanwhile(house: House, tmp_path: Path) -> None:
    fill(house)
    before = content(house.url)
    with house.catalog.read() as records:
        rows = WholeRows.of(records).rows()
        begun = [next(rows)]
        with house.catalog.begin() as other:
            other.drop_disk(["Ä\n"])
            other.put_volumes([registered(15)])
        assert content_of([*begun, *rows], before.counts) == before
    assert content(house.url) != before


def test_settled_steps_and_leases_stay_out_of_an_export(house: House, tmp_path: Path) -> None:
    version1.asked(
        house.url,
        *(
            f"INSERT INTO eternus_journal (id, operation_id, kind, tv_array, tv_device, payload, state, written_at)"
            f" VALUES ('{state.value}', 'O', 'StartCopy', 'A', 'D', '{{}}', '{state.value}', 1)"
            for state in StepState
        ),
    )
    with house.catalog.begin() as records:
        records.take_leases(["volume:x"], "me", NOW, 60)
    file = tmp_path / "export"
    work("exported", house.url, file)
    with open_export(str(file)) as found:
        rows = [(table, row) for _number, table, row in found.rows()]
        assert found.header.last_token == 1
    assert [row["id"] for table, row in rows if table == "journal"] == ["intended"]
    assert "volume:x" not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("how", ["by force", "into nothing"])
def test_tokens_never_go_back(house: House, second: str, tmp_path: Path, how: str) -> None:
    """Whoever slept since the export must not find his token in another's hands (DESIGN.md, Catalog: fencing)."""
    file = tmp_path / "export"
    fill(house)
    with house.catalog.begin() as records:
        records.take_leases(["volume:x"], "me", NOW, 60)
    work("exported", house.url, file)
    with house.catalog.begin() as records:
        last = records.take_leases([f"volume:{n}" for n in range(50)], "me", NOW, 60)[-1]
        records.put_volumes([registered(99)])
    into = house.url if how == "by force" else second
    work("imported", into, file, force=True)
    with closing(open_catalog(into)) as catalog, catalog.begin() as records:
        assert records.leases() == []
        with pytest.raises(BackupError) as caught:
            records.fence([last])
        assert caught.value.error_class is ErrorClass.BUSY
        assert records.take_leases(["volume:x"], "you", NOW, 60)[0].token > 51


def test_what_is_journalled_after_an_import_comes_after_what_was_imported(house: House, second: str, tmp_path: Path):
    file = tmp_path / "export"
    columns = "(id, operation_id, kind, tv_array, tv_device, payload, state, written_at, sequence)"
    values = "('J', 'O', 'StartCopy', 'A', 'D', '{}', 'intended', 1, 7000)"
    version1.asked(house.url, f"INSERT INTO eternus_journal {columns} VALUES {values}")
    work("exported", house.url, file)
    work("imported", second, file)
    with closing(open_catalog(second)) as catalog, catalog.begin() as records:
        (entry,) = records.open_entries()
        records.intend([replace(entry, id="later")])
        assert [one.id for one in records.open_entries()] == ["J", "later"]


def test_a_catalog_that_holds_something_else_is_replaced_by_force_alone(house: House, tmp_path: Path) -> None:
    file = tmp_path / "export"
    fill(house)
    work("exported", house.url, file)
    with house.catalog.begin() as records:
        records.put_volumes([registered(99)])
    before = everything(house.url)
    error = refused(ErrorClass.CONFIRMATION_REQUIRED, "imported", house.url, file)
    assert error.details["rows"]["volumes"] == 8
    assert everything(house.url) == before
    planned = work("imported", house.url, file, force=True, check=True)
    assert planned.changed and everything(house.url) == before
    done = work("imported", house.url, file, force=True)
    assert (done.before, done.after) == (planned.before, planned.after)
    assert not work("imported", house.url, file).changed


def test_a_catalog_that_somebody_works_on_is_not_replaced(house: House, tmp_path: Path) -> None:
    file, now = tmp_path / "export", SystemClock().now()
    work("exported", house.url, file)
    with house.catalog.begin() as records:
        records.put_volumes([registered(99)])
        held = records.take_leases(["volume:x"], "elsewhere:1", now, 600)
    before = everything(house.url)
    error = refused(ErrorClass.BUSY, "imported", house.url, file, force=True)
    assert "volume:x by elsewhere:1" in error.message
    assert everything(house.url) == before
    with house.catalog.begin() as records:
        records.drop_leases(held)
        records.take_leases(["volume:x"], "elsewhere:1", now - timedelta(seconds=600), 60)
    assert work("imported", house.url, file, force=True).changed


@pytest.mark.rule("R9.22", "R4.38")
def test_a_volume_that_the_export_does_not_explain_is_unknown_until_it_is_released(
    house: House, second: str, tmp_path: Path
) -> None:
    """behaviour.md §4: BVs 10-12 serve a TV, 13 and 14 may carry what was backed up after the export."""
    file = tmp_path / "export"
    work("exported", house.url, file)
    done = work("imported", second, file, trust=False)
    assert done.values["unknown"] == ["vol13", "vol14"]
    assert "vol13, vol14" in done.warnings[1] and "eternus_reconcile" in done.warnings[1]
    with closing(open_catalog(second)) as catalog, catalog.read() as records:
        assert [one.name for one in records.volumes() if one.unknown] == ["vol13", "vol14"]
        assert {one.role for one in records.volumes() if one.unknown} == {Role.BACKUP}
    again = work("imported", second, file, trust=False)
    assert (again.changed, again.values["unknown"], again.warnings) == (False, ["vol13", "vol14"], ())


@pytest.mark.rule("R9.22")
def test_an_export_that_is_trusted_marks_nothing(house: House, second: str, tmp_path: Path) -> None:
    with house.catalog.begin() as records:
        records.put_volumes([replace(registered(13), unknown=True)])
    file = tmp_path / "export"
    work("exported", house.url, file)
    assert work("imported", second, file, trust=True).values["unknown"] == ["vol13"]
    assert content(second) == content(house.url)


def test_its_own_export_leaves_a_catalog_as_it_is(house: House, tmp_path: Path) -> None:
    file = tmp_path / "export"
    fill(house)
    work("exported", house.url, file)
    before = everything(house.url)
    done = work("imported", house.url, file, trust=False)
    assert (done.changed, done.values["unknown"]) == (False, [])
    assert everything(house.url) == before


def test_an_export_of_version_1_is_imported_with_what_came_later_empty(url: str, second: str, tmp_path: Path) -> None:
    file = tmp_path / "export"
    version1.make(url)
    before = everything(url)
    done = work("exported", url, file)
    assert (done.values["schema_version"], done.values["counts"]["restore_tests"]) == (1, 0)
    assert "consistent" not in file.read_text(encoding="utf-8")
    assert everything(url) == before, "an export upgrades nothing"
    assert not work("exported", url, file).changed
    assert work("imported", second, file).values["schema_version"] == CURRENT
    assert content(second) == content(url)
    with closing(open_catalog(second)) as catalog, catalog.read() as records:
        assert [one.consistent for one in records.backups()] == [None, None]
        assert [one.id for one in records.open_entries()] == ["J2"]
    open_catalog(url).close()
    assert content(second) == content(url), "an upgraded catalog and an imported one are the same"


def test_an_export_of_version_2_is_imported_with_what_came_later_as_an_upgrade_fills_it(
    url: str, second: str, tmp_path: Path
) -> None:
    file = tmp_path / "export"
    version2.make(url)
    assert work("exported", url, file).values["schema_version"] == 2
    assert "protected_until" not in file.read_text(encoding="utf-8")
    assert work("imported", second, file).values["schema_version"] == CURRENT
    assert content(second) == content(url)
    with closing(open_catalog(second)) as catalog, catalog.begin() as records:
        assert [one.append for one in records.pools()] == [True]
        assert [(one.location, one.unknown, one.exported_at) for one in records.cartridges()] == [("", False, None)] * 2
        away = replace(records.cartridges()[0], location="the safe", exported_at=NOW, protected_until=NOW, unknown=True)
        records.put_cartridge(away)
    open_catalog(url).close()
    assert content(url) != content(second)
    assert work("exported", second, file).changed
    assert work("imported", url, file, force=True).changed
    assert content(second) == content(url)
    with closing(open_catalog(url)) as catalog, catalog.read() as records:
        assert away in records.cartridges()


def test_a_catalog_of_version_1_is_replaced_and_upgraded_by_an_import(url: str, house_export: Path) -> None:
    version1.make(url)
    version1.asked(url, "UPDATE eternus_leases SET expires_at = 1")
    before = everything(url)
    refused(ErrorClass.CONFIRMATION_REQUIRED, "imported", url, house_export)
    assert work("imported", url, house_export, force=True, check=True).changed
    assert everything(url) == before
    done = work("imported", url, house_export, force=True)
    assert done.before["schema_version"] == 1 and done.values["schema_version"] == CURRENT
    assert any("1 steps of interrupted runs" in warning for warning in done.warnings)


@pytest.fixture
def house_export(tmp_path: Path) -> Path:
    """Return an export with a volume."""
    file = tmp_path / "house"
    with staged() as rows:
        _volume(rows)
        export_catalog(rows.whole, file, NOW)
    return file


def _volume(rows: StagedRows) -> None:
    huge = Volume(ref(1), "bv", 2**63 - 1, 512, False, "")
    rows.fill([(2, "volumes", schema.VOLUME.row(RegisteredVolume(huge, Role.BACKUP, NOW)))], CURRENT)


def test_an_upgrade_is_told_by_check_mode_and_done_once(url: str) -> None:
    version1.make(url)
    before = everything(url)
    planned = work("upgraded", url, check=True)
    assert planned.changed and planned.values == {"schema_version": CURRENT, "previous_version": 1}
    assert everything(url) == before
    done = work("upgraded", url)
    assert (done.changed, done.values, done.before, done.after) == (
        *(True, planned.values, planned.before, planned.after),
    )
    again = work("upgraded", url)
    assert (again.changed, again.values["previous_version"]) == (False, CURRENT)
    assert not work("upgraded", url, check=True).changed


def test_a_catalog_that_is_not_there_is_neither_exported_nor_upgraded(url: str, tmp_path: Path) -> None:
    refused(ErrorClass.CATALOG_UNAVAILABLE, "exported", url, tmp_path / "export")
    refused(ErrorClass.CATALOG_UNAVAILABLE, "upgraded", url)
    assert work("exported", url, tmp_path / "export", check=True).changed
    assert not work("upgraded", url, check=True).changed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.rule("R9.26")
@pytest.mark.parametrize("state", ["exported", "imported", "upgraded"])
def test_a_catalog_of_a_later_release_is_refused_and_left(url: str, house_export: Path, state: str) -> None:
    work("imported", url, house_export)
    version1.asked(url, f"UPDATE eternus_schema SET version = {CURRENT + 1}")
    refused(ErrorClass.CATALOG_SCHEMA, state, url, house_export, force=True)
    assert version1.asked(url, "SELECT version FROM eternus_schema")[0][0] == CURRENT + 1
