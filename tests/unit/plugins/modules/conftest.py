# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site for tests of modules: a simulated array over https, volumes and a catalog for each test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Volume, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import BackupRequest
from ansible_collections.eternus.backup.plugins.module_utils._backup.policies import declare
from ansible_collections.eternus.backup.plugins.module_utils._backup.synchronize import start
from ansible_collections.eternus.backup.plugins.module_utils._backup.take import take_backup
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import RegisteredVolume, Role
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock, Wait
from ansible_collections.eternus.backup.tests.unit.support.run_module import run_module
from ansible_collections.eternus.backup.tests.unit.support.simulated import (
    MIB,
    Simulated,
    start_simulated,
    stop_simulated,
)

SIZE = 2 * MIB
QUICK = Wait(interval=0.05, timeout=30.0)
ROLES = {
    "tv": Role.TRANSACTION,
    "tv2": Role.TRANSACTION,
    "bv1": Role.BACKUP,
    "bv2": Role.BACKUP,
    "bv3": Role.BACKUP,
    "big": Role.BACKUP,
}
_WAITING = ("eternus_sync", "eternus_backup", "eternus_restore")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Site:
    """An array that all tests share, and volumes and a catalog of one test. Volumes go by short names, e.g. ``tv``."""

    array: Simulated
    url: str
    prefix: str

    def name(self, short: str) -> str:
        """Return the array's name of a volume of this test."""
        return f"{self.prefix}{short}"

    def names(self, *short: str) -> list[str]:
        """Return the array's names of volumes of this test."""
        return [self.name(one) for one in short]

    def run(self, module: str, *, check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        """Run a module with this catalog, and over the array unless it has no option for one."""
        reach = {} if module == "eternus_policy" else self.array.args()
        quick = {"poll_interval": 0.1, "wait_timeout": 60} if module in _WAITING else {}
        return run_module(module, {**reach, "catalog_url": self.url, **quick, **options}, check=check, diff=diff)

    def done(self, module: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run a module that must succeed."""
        result = self.run(module, check=check, **options)
        assert not result["failed"], result
        return result

    def refused(self, error_class: str, module: str, **options: Any) -> dict[str, Any]:
        """Run a module that must refuse: with a class, one sentence, a next step, and nothing changed anywhere."""
        before = self.state()
        result = self.run(module, **options)
        assert result["failed"], result
        assert result.get("error_class") == error_class, result
        assert result["error"].endswith("."), result
        assert result["next_step"], result
        assert result["msg"].startswith(f"{error_class}: "), result
        assert "exception" not in result, result
        assert self.array.password not in str({**result, "invocation": None})
        assert self.state() == before
        return result

    @contextmanager
    def records(self) -> Iterator[Records]:
        """Open a transaction on the catalog."""
        with closing(open_catalog(self.url)) as catalog, catalog.begin() as records:
            yield records

    @contextmanager
    def engine(self) -> Iterator[Context]:
        """Return a context of the engine in this process: a quick way to what a test begins with."""
        with closing(open_catalog(self.url)) as catalog, closing(self.array.connect()) as array:
            yield Context(catalog, {array.serial: array})

    def policy(self, *volumes: str, **policy: Any) -> None:
        """Declare policies."""
        with closing(open_catalog(self.url)) as catalog:
            wanted = [{"volume": self.name(one), "media": "disk", "generations": 1, **policy} for one in volumes]
            declare(Context(catalog), wanted, strict=False)

    def synchronize(self, *volumes: str) -> None:
        """Make pairs equivalent."""
        with self.engine() as ctx:
            assert start(ctx, self.names(*volumes), wait=QUICK).values["equivalent"]

    def backup(self, *volumes: str, key: str = "") -> list[dict[str, Any]]:
        """Synchronize, and take backups."""
        self.synchronize(*volumes)
        with self.engine() as ctx:
            taken: list[dict[str, Any]] = take_backup(ctx, self.names(*volumes), BackupRequest(key)).values["backups"]
        return taken

    def state(self) -> dict[str, Any]:
        """Return what a refusal must leave as it is: what the catalog holds, the array's volumes and sessions."""
        return {"catalog": content(self.url), "array": self.array.state()}


def content(url: str) -> Sequence[Any]:
    """Return what a catalog holds; empty where there is none."""
    path = Path(url.partition("///")[2])
    if not path.exists():
        return ()
    with closing(open_catalog(url, read_only=True)) as catalog, catalog.read() as records:
        volumes = records.volumes()
        return (
            volumes,
            records.policies(),
            records.allocations(),
            records.backups(),
            records.readers(),
            records.leases(),
            records.open_entries(),
            records.undefined_targets(),
            records.pools(),
            [records.array(serial) for serial in sorted({volume.ref.array for volume in volumes})],
        )


@pytest.fixture(scope="session")
def shared_array(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Simulated]:
    """Return one array for all tests of modules; each test makes volumes of its own."""
    directory = tmp_path_factory.mktemp("array")
    try:
        yield start_simulated(directory, tls_directory=certificates)[0]
    finally:
        stop_simulated(directory)


@pytest.fixture
def empty(shared_array: Simulated, tmp_path: Path) -> Iterator[Site]:
    """Return a site whose catalog does not exist yet. ``big`` has twice the size of the others."""
    made = Site(shared_array, f"sqlite:///{tmp_path}/state/catalog.db", f"t{next(_numbers)}")
    small = [{"name": name, "size": SIZE} for name in made.names("tv", "tv2", "bv1", "bv2", "bv3", "free")]
    shared_array.door("POST", "volumes", [*small, {"name": made.name("big"), "size": 2 * SIZE}])
    try:
        yield made
    finally:
        shared_array.unfail()
        shared_array.knobs(copy_rate=0)


@pytest.fixture
def site(empty: Site) -> Site:
    """Return a site with tv and tv2 registered as transaction volumes; bv1, bv2, bv3 and big as backup volumes."""
    found = {row["name"]: row for row in empty.array.state()["volumes"]}
    now = SystemClock().now()
    volumes = []
    for short, role in ROLES.items():
        row = found[empty.name(short)]
        ref = VolumeRef(empty.array.serial, row["device_id"])
        volume = Volume(ref, row["name"], row["blocks"], row["block_size"], row["thin"])
        volumes.append(RegisteredVolume(volume, role, now))
    with empty.records() as records:
        records.put_volumes(volumes)
    return empty


@pytest.fixture
def now_offers(shared_array: Simulated) -> Iterator[Callable[..., None]]:
    """Return what turns the array's knobs, until the test has ended."""
    usual = {"replication_types": [2, 4, 5, 6, 7, 10, 11, 12, 13], "list_support": True, "max_sessions_per_source": 8}
    yield shared_array.knobs
    shared_array.knobs(**usual)
