# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A field for many processes: one simulated array, a pool of volumes, a catalog on either database."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._array.model import Volume, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.policies import declare
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Catalog, Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import RegisteredVolume, Role
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock
from ansible_collections.eternus.backup.tests.unit.support.crowd import Call, Crowd, Member
from ansible_collections.eternus.backup.tests.unit.support.simulated import Simulated

SIZE = 128 * 1024
#: Methods that change something on the array.
CHANGING = ("CreateElementReplica", "CreateListReplica", "ModifyReplicaSynchronization", "ModifyListSynchronization")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Field:
    """TVs ``tv0``, ``tv1``, … and BVs ``bv0``, … of one test, by short names; a catalog; processes."""

    array: Simulated
    url: str
    crowd: Crowd
    prefix: str
    refs: dict[str, VolumeRef] = field(default_factory=dict)

    def name(self, short: str) -> str:
        """Return the array's name of a volume."""
        return f"{self.prefix}{short}"

    def volumes(self, tvs: int, bvs: int, *, size: int = SIZE, kind: str = "") -> None:
        """Make and register volumes; each TV has bytes of its own. ``kind``: a letter between v and the number."""
        roles = {f"tv{kind}{number}": Role.TRANSACTION for number in range(tvs)}
        roles.update({f"bv{kind}{number}": Role.BACKUP for number in range(bvs)})
        self.array.door("POST", "volumes", [{"name": self.name(short), "size": size} for short in roles])
        found = {row["name"]: row for row in self.array.state()["volumes"]}
        registered = []
        for short, role in roles.items():
            row = found[self.name(short)]
            ref = self.refs[short] = VolumeRef(self.array.serial, row["device_id"])
            volume = Volume(ref, row["name"], row["blocks"], row["block_size"], row["thin"])
            registered.append(RegisteredVolume(volume, role, SystemClock().now()))
            if role is Role.TRANSACTION:
                self.array.write(row["name"], short.encode() * 64)
        with self.records() as records:
            records.put_volumes(registered)

    def policies(self, *tvs: str, **policy: Any) -> None:
        """Declare policies."""
        with closing(open_catalog(self.url)) as catalog:
            wanted = [{"volume": self.name(one), "media": "disk", "generations": 1, **policy} for one in tvs]
            declare(Context(catalog), wanted, strict=False)

    @contextmanager
    def records(self) -> Iterator[Records]:
        """Open a transaction on the catalog."""
        with closing(open_catalog(self.url)) as catalog, catalog.begin() as records:
            yield records

    def call(
        self, module: str, *tvs: str, env: Mapping[str, str] | None = None, prelude: str = "", **options: Any
    ) -> Call:
        """Return a module's call with this catalog, over the array."""
        quick = {"poll_interval": 0.1, "wait_timeout": 60} if module == "eternus_sync" else {}
        reach = {} if module == "eternus_policy" else self.array.args()
        given = {**reach, "catalog_url": self.url, **quick, **options}
        if tvs:
            given["volumes"] = [self.name(tv) for tv in tvs]
        return Call(module, given, env or {}, prelude)

    def start(self, module: str, *tvs: str, **options: Any) -> Member:
        """Start a module's process."""
        return self.crowd.start(self.call(module, *tvs, **options))

    def run(self, module: str, *tvs: str, **options: Any) -> dict[str, Any]:
        """Run a module to its end."""
        return self.start(module, *tvs, **options).ended()[1]

    def done(self, module: str, *tvs: str, **options: Any) -> dict[str, Any]:
        """Run a module that must succeed."""
        result = self.run(module, *tvs, **options)
        assert result.get("failed") is False, result
        return result

    def sessions(self) -> set[tuple[str, str]]:
        """Return the pairs of this test as the array sees them, by short names."""
        short = {ref.device_id: name for name, ref in self.refs.items()}
        rows = [(row["source_id"], row["target_id"]) for row in self.array.sessions()]
        return {(short[source], short[target]) for source, target in rows if source in short}

    def catalog(self) -> dict[str, Any]:
        """Return what the catalog holds."""
        with self.records() as records:
            return {
                "allocations": records.allocations(),
                "backups": records.backups(),
                "leases": records.leases(),
                "open": records.open_entries(),
                "readers": records.readers(),
            }

    def acts(self) -> int:
        """Return how many changing requests reached the array."""
        requests = self.array.counters()["requests"]
        return sum(requests.get(method, 0) for method in CHANGING)

    def state(self) -> dict[str, Any]:
        """Return all that a woken owner must leave as it is."""
        mine = {ref.device_id for ref in self.refs.values()}
        sessions = [row for row in self.array.sessions() if row["source_id"] in mine]
        digests = {name: self.array.sha256(self.name(name)) for name in self.refs}
        return {"catalog": self.catalog(), "sessions": sessions, "acts": self.acts(), "bytes": digests}

    def assert_sound(self) -> None:
        """Assert what must be true when nobody works: no lease, no open step, each BV in one role, sessions known."""
        found = self.catalog()
        assert found["leases"] == []
        assert found["open"] == []
        short = {ref: name for name, ref in self.refs.items()}
        allocated = [(short[row.tv], short[row.bv]) for row in found["allocations"]]
        assert len({bv for _tv, bv in allocated}) == len(allocated), "a BV serves two TVs"
        carrying = [short[one.disk.bv] for one in found["backups"] if one.disk is not None]
        assert len(set(carrying)) == len(carrying), "a BV carries two generations"
        for one in found["backups"]:
            assert (short[one.tv], short[one.disk.bv]) in allocated
        sessions = self.sessions()
        assert len({bv for _tv, bv in sessions}) == len(sessions), "the array copies two TVs onto one BV"
        assert sessions <= set(allocated), "the array has a session that the catalog does not know"
        assert {bv for _tv, bv in allocated} <= {bv for _tv, bv in sessions} | set(carrying), "a BV leaked"


def until_expired(catalog: Catalog) -> None:
    """Wait until every lease has run out."""
    while True:
        with catalog.read() as records:
            leases = records.leases()
        assert leases
        if all(one.expires_at < SystemClock().now() for one in leases):
            return
        time.sleep(0.05)


def new_prefix() -> str:
    """Return what sets the volumes of one test apart from those of others."""
    return f"c{next(_numbers)}"
