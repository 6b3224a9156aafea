# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated array with a catalog, for sections that drive the engine in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.plan_backup import BackupRequest
from ansible_collections.eternus.backup.plugins.module_utils._backup.policies import declare
from ansible_collections.eternus.backup.plugins.module_utils._backup.synchronize import start
from ansible_collections.eternus.backup.plugins.module_utils._backup.take import take_backup
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import RegisteredVolume, Role
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Wait
from ansible_collections.eternus.backup.tests.benchmark.arrays import fill, served
from ansible_collections.eternus.backup.tests.unit.support.simulated import Simulated

QUICK = Wait(interval=0.05, timeout=300.0)


class Estate:
    """An array that runs, and a catalog that knows its volumes."""

    def __init__(self, array: Simulated, url: str) -> None:
        """Take an array, and the URL of a catalog that is there."""
        self.array = array
        self.url = url

    @contextmanager
    def engine(self) -> Iterator[Context]:
        """Open the catalog and a connection, as a module does."""
        with closing(open_catalog(self.url)) as catalog, closing(self.array.connect()) as array:
            yield Context(catalog, {array.serial: array})

    def provide(self, tvs: Sequence[str], bvs: Sequence[str], size: int, **policy: Any) -> None:
        """Make and register volumes of one size (bytes), and give each TV this policy (disk, one generation)."""
        fill(self.array, [*tvs, *bvs], size)
        with self.engine() as ctx:
            found = {volume.name: volume for volume in ctx.arrays[self.array.serial].volumes()}
            rows = [RegisteredVolume(found[name], Role.TRANSACTION, ctx.clock.now()) for name in tvs]
            rows += [RegisteredVolume(found[name], Role.BACKUP, ctx.clock.now()) for name in bvs]
            with ctx.catalog.begin() as records:
                records.put_volumes(rows)
            wanted = [{"volume": name, "media": "disk", "generations": 1, **policy} for name in tvs]
            declare(ctx, wanted, strict=False)

    def start(self, *names: str, wait: Optional[Wait] = QUICK) -> Result:
        """Start synchronization, and wait."""
        with self.engine() as ctx:
            return start(ctx, names, wait=wait)

    def back_up(self, *names: str) -> Result:
        """Take backups."""
        with self.engine() as ctx:
            return take_backup(ctx, names, BackupRequest())


@contextmanager
def estate(directory: Path, config: Optional[Mapping[str, Any]] = None) -> Iterator[Estate]:
    """Serve an array, and make an empty catalog, below ``directory``."""
    url = f"sqlite:///{directory}/catalog.db"
    with served(directory / "array", config) as array:
        open_catalog(url, create=True).close()
        yield Estate(array, url)
