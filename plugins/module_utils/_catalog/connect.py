# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Opening the catalog: ``open_catalog(url)``. The first file of this package that needs SQLAlchemy."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional, Union

from ansible_collections.eternus.backup.plugins.module_utils._catalog.backups import CartridgeRows
from ansible_collections.eternus.backup.plugins.module_utils._catalog.failures import bad_url, translated, unavailable
from ansible_collections.eternus.backup.plugins.module_utils._catalog.leases import JournalRows
from ansible_collections.eternus.backup.plugins.module_utils._catalog.postgres import PostgresDoor
from ansible_collections.eternus.backup.plugins.module_utils._catalog.schema import (
    CURRENT,
    check_version,
    upgrade,
    version_now,
    version_of,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.sqlite import EmptyDoor, SqliteDoor, unwritable
from ansible_collections.eternus.backup.plugins.module_utils._catalog.standing import StandingRows
from ansible_collections.eternus.backup.plugins.module_utils._catalog.volumes import AllocationRows, VolumeRows

try:
    import sqlalchemy as sa

    _MISSING = "" if int(sa.__version__.partition(".")[0]) >= 2 else f"too old ({sa.__version__})"
except ImportError:
    _MISSING = "missing"

#: The embedded default.
DEFAULT_URL = "sqlite:////var/lib/eternus-backup/catalog.db"

_HOW_TO_MAKE = "A module that changes something makes it at its first run: register volumes by eternus_volume."


class SqlRecords(VolumeRows, AllocationRows, StandingRows, JournalRows, CartridgeRows):
    """Everything inside one transaction (interface.py, ``Records``)."""


class SqlCatalog:
    """The catalog behind a URL (interface.py, ``Catalog``)."""

    def __init__(
        self, door: Union[SqliteDoor, PostgresDoor], *, create: bool, read_only: bool, older: bool = False
    ) -> None:
        self._door = door
        self._create = create
        self._read_only = read_only or older
        self._older = older
        self._engine: Optional[sa.Engine] = None
        self._empty: Optional[sa.Engine] = None
        door.check()
        with self._translated():
            self._find()

    def _translated(self) -> contextlib.AbstractContextManager[None]:
        return translated(self._door.where, self._door.secrets)

    def _find(self) -> None:
        """Open what is there; say so when nothing is and this task makes none."""
        if self._door.exists():
            engine = self._door.engine()
            with contextlib.ExitStack() as failing:
                failing.callback(engine.dispose)
                with self._door.reading(engine) as connection:
                    self._door.prepare(connection)
                    version = version_of(connection)
                upgradable = self._door.writable() and not self._read_only
                check_version(version, self._door.where, upgradable=upgradable or self._older)
                if version < CURRENT and not self._older:
                    with self._door.writing(engine) as connection:
                        upgrade(connection, self._door.where)
                failing.pop_all()
            self._engine = engine
        elif not self._create:
            raise unavailable(f"There is no catalog {self._door.where} yet.", _HOW_TO_MAKE, catalog=self._door.where)

    @contextlib.contextmanager
    def begin(self) -> Iterator[SqlRecords]:
        """Open a transaction that may write: committed at the end of the block, rolled back by any exception.

        The first one makes the catalog where there is none. Writers take turns; one that waits longer than
        30 seconds for its turn gets ``catalog_unavailable``.
        """
        if self._read_only:
            raise RuntimeError("a task that only reads wants to write the catalog")
        with self._translated():
            engine = self._engine or self._made()
            if not self._door.writable():
                raise unwritable(self._door.where)
            with self._door.writing(engine) as connection:
                check_version(version_now(connection), self._door.where)
                yield SqlRecords(connection)

    def _made(self) -> sa.Engine:
        if not self._door.exists():
            self._door.make()
        self._find()
        return self._engine or self._made()

    @contextlib.contextmanager
    def read(self) -> Iterator[SqlRecords]:
        """Open a transaction that only reads. A catalog that is still to be made reads as empty."""
        with self._translated():
            if self._engine is None:
                self._find()
            with self._reading() as connection:
                if self._engine is not None:
                    check_version(version_now(connection), self._door.where)
                yield SqlRecords(connection)

    def _reading(self) -> contextlib.AbstractContextManager[sa.Connection]:
        if self._engine is not None:
            return self._door.reading(self._engine)
        nothing = EmptyDoor()
        if self._empty is None:
            self._empty = nothing.engine()
        return nothing.reading(self._empty)

    @property
    def writable(self) -> bool:
        """Tell whether this user may change the catalog, as far as that shows without trying."""
        return self._door.writable()

    @property
    def files(self) -> list[Path]:
        """Return the files that it lies in; none for a database of a server."""
        return self._door.files

    def close(self) -> None:
        """Give back its connections."""
        for engine in (self._engine, self._empty):
            if engine is not None:
                engine.dispose()


def open_catalog(
    url: str = DEFAULT_URL, *, create: bool = True, read_only: bool = False, older: bool = False
) -> SqlCatalog:
    """Open the catalog that a URL names: ``sqlite:////absolute/path`` or ``postgresql+psycopg://...``.

    :param create: what a missing catalog means. True: it reads as empty, and the first ``begin()`` makes it. False:
        ``catalog_unavailable``, naming how to make one.
    :param read_only: ``begin()`` is a programming error: modules that only read, and check mode.
    :param older: a catalog of an earlier release is opened as it is, read only, and not upgraded: whoever does so reads
        rows (whole.py), not values.
    :raises BackupError: ``catalog_unavailable``, ``catalog_schema``, or ``invalid_option`` for a URL of neither form.
    """
    if _MISSING:
        raise unavailable(
            f"The Python library SQLAlchemy is {_MISSING} on this host, for {sys.executable}.",
            "Install SQLAlchemy 2 or newer for the Python that runs the module.",
        )
    return SqlCatalog(_door(url), create=create, read_only=read_only, older=older)


def _door(url: str) -> Union[SqliteDoor, PostgresDoor]:
    if url.count("@") > 1 and not url.startswith("sqlite:"):
        raise bad_url("more than one @, and what follows the first would be taken for the host")
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise bad_url() from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return PostgresDoor(parsed)
    database = parsed.database or ""
    if backend != "sqlite" or not Path(database).is_absolute():
        raise bad_url()
    if os.environ.get("AWX_ISOLATED_DATA_DIR"):
        raise unavailable(
            f"The catalog {database} would vanish with this job: it lies inside an execution environment.",
            "Run the task on the storage server, or name a PostgreSQL database in catalog_url.",
            path=database,
        )
    return SqliteDoor(Path(os.path.normpath(database)))
