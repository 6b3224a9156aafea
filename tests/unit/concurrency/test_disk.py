# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The disk under the catalog is full, or may not be written: a named error, nothing half written, the rerun mends.

Where user namespaces are not allowed, a limit on the size of files stands for the small disk, and another user's
rights for the read-only file system.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.tests.unit.support.crowd import Crowd, Member
from ansible_collections.eternus.backup.tests.unit.support.field import Field, new_prefix
from ansible_collections.eternus.backup.tests.unit.support.pausing import TRUSTING, after_the_act
from ansible_collections.eternus.backup.tests.unit.support.simulated import Simulated
from ansible_collections.eternus.backup.tests.unit.support.small_disk import (
    BOUND,
    LIMITED,
    Namespace,
    limit,
    namespace,
)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short name."""
    made = Path(tempfile.mkdtemp(prefix="disk", dir="/tmp"))
    yield made
    made.chmod(0o700)
    shutil.rmtree(made)


class Disk:
    """A small disk with a catalog, or a limit that has the same effect."""

    def __init__(self, field: Field, space: Namespace | None) -> None:
        self.field, self.space = field, space
        self.prelude = space.prelude if space else ""

    def run(self, module: str, *tvs: str, full: bool = False, prelude: str = "", **options: Any) -> dict[str, Any]:
        """Run a module, on a disk that is full where that is said."""
        if full and self.space:
            self.space.fill()
        before = self.prelude or (LIMITED if full else "")
        result = self.field.run(module, *tvs, prelude=before + prelude, **options)
        if full and self.space:
            self.space.empty()
        return result

    def fill(self, member: Member) -> None:
        if self.space:
            self.space.fill()
        else:
            limit(member.pid, 16384)

    def files(self) -> list[str]:
        """Return what lies on it."""
        path = Path(self.field.url.partition("///")[2]).parent
        seen = self.space.outside if self.space else path
        return sorted(one.name for one in seen.iterdir() if one.name != "ballast")


@pytest.fixture(params=["disk", "limit"])
def disk(request: pytest.FixtureRequest, field_array: Simulated, crowd: Crowd, place: Path) -> Iterator[Disk]:
    field = Field(field_array, f"sqlite:///{place}/catalog.db", crowd, new_prefix())
    if request.param == "limit":
        yield Disk(field, None)
        return
    with namespace(place, 'mount -t tmpfs -o size=1m,mode=700 small "$0"') as space:
        yield Disk(field, space)


def assert_full(result: dict[str, Any]) -> None:
    assert result["error_class"] == "catalog_unavailable", result
    assert "file system of the catalog" in result["next_step"], result
    assert "exception" not in result


def test_a_full_disk_is_told_and_nothing_half_written_is_left(disk: Disk) -> None:
    field = disk.field
    field.array.door("POST", "volumes", [{"name": field.name(one), "size": 1 << 17} for one in ("tv0", "bv0")])
    assert_full(disk.run("eternus_volume", "tv0", full=True, role="transaction"))
    assert disk.files() == []
    for name, role in (("tv0", "transaction"), ("bv0", "backup")):
        assert disk.run("eternus_volume", name, role=role)["changed"]
    policies = [{"volume": field.name("tv0"), "media": "disk", "generations": 1}]
    assert disk.run("eternus_policy", policies=policies, strict=False)["changed"]
    acts = field.acts()
    assert_full(disk.run("eternus_sync", "tv0", full=True))
    assert field.acts() == acts
    run = field.start("eternus_sync", "tv0", prelude=disk.prelude + after_the_act())
    run.until_stopped()
    disk.fill(run)
    run.wake()
    result = run.ended()[1]
    assert_full(result)
    assert result["unchanged"].startswith("What was sent may have been done"), result
    if disk.space:
        disk.space.empty()
    assert field.acts() == acts + 1
    again = disk.run("eternus_sync", "tv0", prelude=TRUSTING)
    assert (again["failed"], again["equivalent"]) == (False, True), again
    assert not disk.run("eternus_sync", "tv0")["changed"]
    assert field.acts() == acts + 1


@pytest.fixture
def made(field_array: Simulated, crowd: Crowd, place: Path) -> Field:
    """A field with a catalog there."""
    field = Field(field_array, f"sqlite:///{place}/catalog.db", crowd, new_prefix())
    field.volumes(1, 1)
    field.policies("tv0")
    return field


def _unwritable(field: Field, prelude: str) -> dict[str, Any]:
    """Run a module that may not write its catalog; nothing is changed."""
    before = Path(field.url.partition("///")[2]).read_bytes()
    acts = field.acts()
    result = field.run("eternus_sync", "tv0", prelude=prelude)
    assert result.get("error_class") == "catalog_unavailable", result
    assert "may not be written" in result["error"], result
    assert result["next_step"]
    assert field.acts() == acts
    assert Path(field.url.partition("///")[2]).read_bytes() == before
    return result


def test_a_catalog_without_the_right_to_write_is_told(made: Field, place: Path) -> None:
    place.chmod(0o555)
    _unwritable(made, BOUND)
    place.chmod(0o700)
    with closing(open_catalog(made.url)) as catalog, catalog.read() as records:
        assert records.leases() == []
    assert made.done("eternus_sync", "tv0")["equivalent"]


def test_a_read_only_file_system_is_told(made: Field, place: Path) -> None:
    read_only = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0"'
    with namespace(place, read_only) as space:
        result = _unwritable(made, space.prelude if space else BOUND)
        if space:
            assert "read-only file system" in result["error"], result
            new = Field(made.array, f"sqlite:///{place}/new/catalog.db", made.crowd, made.prefix, made.refs)
            told = new.run("eternus_volume", "tv0", prelude=space.prelude, role="backup")
            assert told["error_class"] == "catalog_unavailable", told
            assert "Read-only file system" in told["error"], told
    assert made.done("eternus_sync", "tv0")["equivalent"]
