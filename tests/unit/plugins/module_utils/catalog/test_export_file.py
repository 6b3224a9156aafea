# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of an exported catalog: where it may lie, and what is not taken for one."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._backup import catalog_file
from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_entry import WORK
from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_export import export_catalog
from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_place import whole_file
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapePart, TapeState
from ansible_collections.eternus.backup.plugins.module_utils._catalog.schema import CURRENT
from ansible_collections.eternus.backup.plugins.module_utils._catalog.whole import WholeRows
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import (
    NOW,
    allocation,
    backup,
    copy,
    registered,
)

ROOT = Path(__file__).resolve().parents[5]
Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return an export of a small catalog, which lies beside it as ``catalog.db``."""
    place = tmp_path_factory.mktemp("export")
    with closing(open_catalog(f"sqlite:///{place}/catalog.db")) as catalog:
        with catalog.begin() as records:
            records.put_volumes([registered(10, name="bv é\u2028"), registered(11)])
            records.allocate([allocation(10)])
            part = TapePart(1, "A1", 2, 0, 9, "ab")
            records.add_backups([backup("A", 10, key="k", tape=(copy(1, TapeState.WRITTEN, parts=(part,)),))])
        with catalog.read() as records:
            export_catalog(WholeRows.of(records), place / "export", NOW)
    return place / "export"


def url(path: Path) -> str:
    return f"sqlite:///{path}/catalog.db"


def run(state: str, at: str, path: Path | str, **options: Any) -> Any:
    return WORK[state](
        {"catalog_url": at, "path": str(path), "force": False, "trust": False, **options}, check_mode=False
    )


def refused(error_class: ErrorClass, state: str, at: str, path: Path | str, **options: Any) -> BackupError:
    with pytest.raises(BackupError) as caught:
        run(state, at, path, **options)
    assert caught.value.error_class is error_class, caught.value
    assert caught.value.next_step
    return caught.value


def opened(data: bytes, place: Path) -> list[Any]:
    place.write_bytes(data)
    with catalog_file.open_export(str(place)) as found:
        return list(found.rows())


def test_the_header_names_the_release_that_galaxy_yml_names() -> None:
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"] == catalog_file.COLLECTION_VERSION


def test_a_header_comes_first_then_a_line_a_row_then_the_checksum_over_all_of_it(sample: Path) -> None:
    *lines, last = sample.read_bytes().splitlines(keepends=True)
    header = json.loads(lines[0])
    assert header["format"] == "eternus.backup catalog" and header["schema_version"] == CURRENT
    assert header["exported_at"] == "2026-03-29T01:59:59.123456+00:00"
    assert sum(header["counts"].values()) == len(lines) - 1 == json.loads(last)["rows"]
    assert "leases" not in header["counts"] and "schema" not in header["counts"]
    assert json.loads(last)["sha256"] == hashlib.sha256(b"".join(lines)).hexdigest()


@pytest.mark.rule("R9.25")
def test_an_export_that_was_cut_off_anywhere_is_refused(sample: Path, tmp_path: Path) -> None:
    data = sample.read_bytes()
    assert len(opened(data, tmp_path / "whole")) == len(data.splitlines()) - 2
    for length in range(len(data)):
        with pytest.raises(BackupError) as caught:
            opened(data[:length], tmp_path / "cut")
        assert caught.value.error_class is ErrorClass.INVALID_OPTION


@pytest.mark.rule("R9.25")
def test_an_export_with_any_byte_changed_is_refused_and_changes_nothing(
    sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data, place = sample.read_bytes(), tmp_path_factory.mktemp("changed")

    @settings(max_examples=200, deadline=None)
    @given(st.integers(0, len(data) - 1), st.integers(1, 255))
    def check(position: int, flip: int) -> None:
        changed = bytearray(data)
        changed[position] ^= flip
        (place / "file").write_bytes(changed)
        refused(ErrorClass.INVALID_OPTION, "imported", url(place), place / "file")

    check()
    assert [one.name for one in place.iterdir()] == ["file"]


def test_bytes_after_the_end_or_rows_in_another_order_are_refused(sample: Path, tmp_path: Path) -> None:
    data = sample.read_bytes()
    lines = data.splitlines(keepends=True)
    for other in (data + b"\n", data + data, b"".join([lines[0], lines[2], lines[1], *lines[3:]]), b"", b"\n", b"{}\n"):
        with pytest.raises(BackupError) as caught:
            opened(other, tmp_path / "file")
        assert caught.value.error_class is ErrorClass.INVALID_OPTION


def forged(sample: Path, change: Callable[[Lines], object]) -> bytes:
    """Return the export with its lines changed, and with a checksum that is right."""
    lines = [json.loads(line) for line in sample.read_bytes().splitlines()[:-1]]
    change(lines)
    whole = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return whole + catalog_file._trailer(len(lines) - 1, hashlib.sha256(whole).hexdigest())


def row(lines: Lines, table: str) -> dict[str, Any]:
    found: dict[str, Any] = next(line["row"] for line in lines if line.get("table") == table)
    return found


def again(lines: Lines, table: str, **changed: Any) -> None:
    lines.append({"table": table, "row": {**row(lines, table), **changed}})
    lines[0]["counts"][table] += 1


STEP = {
    "sequence": 1,
    "id": "J",
    "operation_id": "O",
    "kind": "StartCopy",
    "tv_array": "A",
    "tv_device": "D",
    "payload": "{}",
    "written_at": 1,
    "settled_at": None,
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines.append({"table": "leases", "row": {}}), "table that is not known: 'leases'"),
        (lambda lines: row(lines, "volumes").update(colour="red"), "column that volumes has not: 'colour'"),
        (lambda lines: row(lines, "volumes").pop("thin"), "volumes.thin is missing"),
        (lambda lines: row(lines, "backups").pop("skew_ms"), "backups.skew_ms is missing"),
        (lambda lines: row(lines, "volumes").update(name=None), "volumes.name is empty"),
        (lambda lines: row(lines, "volumes").update(thin=1), "volumes.thin is not of the type bool"),
        (lambda lines: row(lines, "volumes").update(blocks=True), "volumes.blocks is not of the type int"),
        (lambda lines: row(lines, "volumes").update(blocks=1.5), "volumes.blocks is not of the type int"),
        (lambda lines: row(lines, "volumes").update(name=["x"]), "volumes.name is not of the type str"),
        (lambda lines: row(lines, "volumes").update(blocks=2**63), "volumes.blocks is too large a number"),
        (lambda lines: row(lines, "volumes").update(role="friend"), "make no row of volumes"),
        (lambda lines: row(lines, "volumes").update(registered_at=2**62), "make no row of volumes"),
        (lambda lines: row(lines, "allocations").update(copy_type="XC"), "make no row of allocations"),
        (lambda lines: row(lines, "allocations").update(bv_device="Z"), "points at a row of"),
        (lambda lines: row(lines, "tape_copies").update(backup_id="Z"), "points at a row of"),
        (lambda lines: again(lines, "volumes"), "two of its rows exclude each other"),
        (lambda lines: again(lines, "backups", key="other"), "two of its rows exclude each other"),
        (lambda lines: again(lines, "disk_copies", backup_id="B"), "two of its rows exclude each other"),
        (lambda lines: lines.append({"table": "journal", "row": {**STEP, "state": "done"}}), "make no row of journal"),
        (lambda lines: lines[0]["counts"].update(volumes=1), "counts other rows"),
        (lambda lines: lines.pop(), "counts other rows"),
        (lambda lines: lines[0].pop("last_token"), "its header is not understood"),
        (lambda lines: lines[0].update(last_token=-1), "its header is not understood"),
        (lambda lines: lines[0].update(exported_at="2026-03-29T01:00:00"), "a time without a zone"),
        (lambda lines: lines[0].update(format="other"), "it is no export of a catalog"),
        (lambda lines: lines.append({"table": "volumes"}), "is no row"),
        (lambda lines: lines.append([1]), "is not understood"),
    ],
)
def test_rows_that_no_catalog_can_hold_are_refused_by_line_and_nothing_is_imported(
    sample: Path, tmp_path: Path, change: Callable[[Lines], object], said: str
) -> None:
    (tmp_path / "file").write_bytes(forged(sample, change))
    error = refused(ErrorClass.INVALID_OPTION, "imported", url(tmp_path / "state"), tmp_path / "file")
    assert said in error.message
    assert not (tmp_path / "state").exists()
    assert run("imported", url(tmp_path / "state"), sample).changed
    before = (tmp_path / "state" / "catalog.db").read_bytes()
    refused(ErrorClass.INVALID_OPTION, "imported", url(tmp_path / "state"), tmp_path / "file", force=True)
    assert (tmp_path / "state" / "catalog.db").read_bytes() == before


@pytest.mark.parametrize("what", ["schema_version", "format_version"])
def test_an_export_of_a_later_release_asks_for_that_release(sample: Path, tmp_path: Path, what: str) -> None:
    (tmp_path / "file").write_bytes(forged(sample, lambda lines: lines[0].update({what: 99})))
    error = refused(ErrorClass.CATALOG_SCHEMA, "imported", url(tmp_path), tmp_path / "file")
    assert error.details["found"] == 99 and "Install the release" in error.next_step
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_what_is_no_file_is_not_imported(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe", tmp_path / "missing", tmp_path / "missing" / "file"):
        refused(ErrorClass.INVALID_OPTION, "imported", url(tmp_path), place)
    refused(ErrorClass.INVALID_OPTION, "imported", url(tmp_path), "")


def test_an_export_is_for_its_owner_alone_and_leaves_no_other_file(sample: Path, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        assert run("exported", url(sample.parent), tmp_path / "file").changed
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_an_unchanged_catalog_leaves_the_file_and_its_time(sample: Path, tmp_path: Path) -> None:
    first = run("exported", url(sample.parent), tmp_path / "file")
    before = (tmp_path / "file").stat()
    second = run("exported", url(sample.parent), tmp_path / "file")
    assert (second.changed, second.values) == (False, first.values)
    after = (tmp_path / "file").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    (tmp_path / "file").write_bytes((tmp_path / "file").read_bytes()[:-20])
    assert run("exported", url(sample.parent), tmp_path / "file").changed, "a damaged export is written anew"
    assert not run("exported", url(sample.parent), tmp_path / "file").changed


def test_no_link_is_followed_and_no_directory_made(sample: Path, tmp_path: Path) -> None:
    at = url(sample.parent)
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "export").symlink_to(tmp_path / "real" / "file")
    for place in ("link/file", "export", "missing/file", "real", "real/file/file"):
        refused(ErrorClass.INVALID_OPTION, "exported", at, tmp_path / place, force=True)
    refused(ErrorClass.INVALID_OPTION, "exported", at, "relative")
    assert (tmp_path / "real" / "file").read_text() == "mine"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["export", "link", "real"]


def test_a_file_that_is_no_export_is_written_over_by_force_alone(sample: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("my letter\n")
    refused(ErrorClass.CONFIRMATION_REQUIRED, "exported", url(sample.parent), file)
    assert file.read_text() == "my letter\n"
    assert run("exported", url(sample.parent), file, force=True).changed
    (tmp_path / "empty").touch()
    assert run("exported", url(sample.parent), tmp_path / "empty").changed


def test_a_catalog_is_never_written_over_by_its_export(sample: Path) -> None:
    for name in ("catalog.db", "catalog.db-wal"):
        place = sample.parent / name
        if place.exists():
            assert (
                "the catalog itself"
                in refused(*(ErrorClass.INVALID_OPTION, "exported", url(sample.parent), place), force=True).message
            )
    assert not run("exported", url(sample.parent), sample).changed


def test_a_place_that_may_not_be_written_is_named(sample: Path) -> None:
    error = refused(ErrorClass.INVALID_OPTION, "exported", url(sample.parent), "/proc/export")
    assert error.message.startswith("/proc/export cannot be written: ")


def _die_writing(path: Path) -> None:
    with whole_file(path) as file:
        file.write(b"half")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_dies_while_it_exports_leaves_the_export_before(sample: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    run("exported", url(sample.parent), file)
    before = file.read_bytes()
    child = multiprocessing.get_context("fork").Process(target=_die_writing, args=(file,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert file.read_bytes() == before
    with pytest.raises(ZeroDivisionError), whole_file(file):
        raise ZeroDivisionError
    assert file.read_bytes() == before
