# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The catalog in a SQLite file: the embedded default (DESIGN.md, Catalog)."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from shlex import quote as quote_word
from typing import Any, Optional
from urllib.parse import quote

from ansible_collections.eternus.backup.plugins.module_utils._catalog.failures import (
    LOCK_SECONDS,
    translated,
    unavailable,
)
from ansible_collections.eternus.backup.plugins.module_utils._catalog.schema import upgrade, version_of
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._private import make_directory, open_to_all

try:
    import sqlalchemy as sa
except ImportError:  # connect.py says so before anything here runs
    ...

_ANOTHER = "Run as a user who may write it, or name another place in catalog_url."


def unwritable(path: str) -> BackupError:
    """Return the error for a catalog's file that may be read, and not written."""
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return unavailable(
            f"The catalog {path} may not be written: it lies on a read-only file system.",
            "See the kernel's messages, which may tell of a bad disk, and mount it writable; "
            "or name another place in catalog_url.",
            catalog=path,
        )
    return unavailable(
        f"The catalog {path} may not be written by user id {os.geteuid()}.",
        "Run as the catalog's owner, or name another place in catalog_url.",
        catalog=path,
    )


class SqliteDoor:
    """A SQLite file: how it is found, made, opened and locked. WAL, foreign keys on, every commit on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.where = str(path)
        self.files = [Path(f"{path}{ending}") for ending in ("", "-wal", "-shm", "-journal")]
        self.secrets: tuple[str, ...] = ()
        self._frozen: Optional[tuple[int, int]] = None

    def check(self) -> None:
        """Refuse what could lead elsewhere, what is no file, and what everybody may write."""
        for place in (self.path.parent, *self.files):
            mode = self._mode(place)
            if mode is None:
                continue
            if stat.S_ISLNK(mode):
                raise unavailable(
                    f"{place} is a symbolic link, and the catalog follows none.",
                    self._instead_of(place),
                    path=str(place),
                )
            if place != self.path.parent and not stat.S_ISREG(mode):
                what = f"The catalog {place}" if place == self.path else f"{place}, beside the catalog,"
                raise unavailable(f"{what} is not a file.", self._instead_of(place), path=str(place))
            if open_to_all(mode):
                raise unavailable(
                    f"Every user of this host may write {place}, and with it the catalog.",
                    f"Look at what the catalog holds, then take that right away: chmod o-w {quote_word(str(place))}.",
                    path=str(place),
                )
        mode = self._mode(self.path)
        if mode is not None and not os.access(self.path, os.R_OK):
            raise unavailable(
                f"The catalog {self.path} may not be read by user id {os.geteuid()}.",
                "Run as the catalog's owner, or name another place in catalog_url.",
                path=self.where,
            )

    def _instead_of(self, place: Path) -> str:
        """Return what to do about something that bears the name of a file of ours."""
        if place in (self.path, self.path.parent):
            return "Name a file in catalog_url, by a path without links."
        return "Find out who put it there, and take it away: nothing of the catalog is in it."

    def _mode(self, place: Path) -> Optional[int]:
        try:
            return place.lstat().st_mode
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unavailable(
                f"The catalog {self.path} is out of reach: {place}: {error.strerror}.", _ANOTHER, path=self.where
            ) from None

    def exists(self) -> bool:
        """Tell whether there is anything; an empty file is not."""
        return self.path.exists() and self.path.stat().st_size > 0

    def writable(self) -> bool:
        """Tell whether this user may change the catalog: SQLite needs the directory too."""
        return os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)

    def make(self) -> None:
        """Make a catalog: whole or not at all, also when two processes do so at once.

        It is built beside its place and linked there in one step: nobody ever sees half of it, the second process
        finds the first one's.
        """
        try:
            make_directory(str(self.path.parent))
            self.check()
            if self.path.exists():
                self.path.unlink()  # an empty file
            self._build()
        except OSError as error:
            raise unavailable(
                f"The catalog {self.path} cannot be made: {error.strerror}.", _ANOTHER, path=self.where
            ) from None

    def _build(self) -> None:
        draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
        door = SqliteDoor(draft)
        engine = door.engine()
        try:
            with translated(self.where):
                with self.writing(engine) as connection:
                    upgrade(connection, self.where)
                engine.dispose()
                door._open().close()  # turns it to its log while nobody else can be in the way
            with contextlib.suppress(FileExistsError):
                os.link(draft, self.path)
        finally:
            engine.dispose()
            for ending in ("", "-wal", "-shm", "-journal"):
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{draft}{ending}").unlink()

    def engine(self) -> sa.Engine:
        """Return the engine. A pool serves threads; what may only be read is opened anew each time."""
        pool = sa.pool.QueuePool if self.writable() else sa.pool.NullPool
        engine = sa.create_engine("sqlite://", creator=self._open, poolclass=pool)
        sa.event.listen(engine, "begin", _begin)
        return engine

    def _open(self) -> sqlite3.Connection:
        self._frozen = None
        if self.writable():
            connection = self._connect("mode=rw")
            # Another process may be about to do the same; then it is done. What is no catalog is not ours to change.
            with contextlib.suppress(sqlite3.OperationalError):
                version = connection.execute("SELECT typeof(version) FROM eternus_schema").fetchone()
                if version == ("integer",):
                    connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        else:
            connection = self._connect_to_read()
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    def _connect_to_read(self) -> sqlite3.Connection:
        """Open what may not be written. Without a log beside it, it is frozen: then no file need be made to read it."""
        connection = self._connect("mode=ro")
        try:
            connection.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.OperationalError:
            connection.close()
            if Path(f"{self.path}-wal").exists():
                raise
            self._frozen = self._stamp()
            connection = self._connect("mode=ro&immutable=1")
        return connection

    def _connect(self, how: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(str(self.path))}?{how}",
            uri=True,
            timeout=LOCK_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )

    def _stamp(self) -> tuple[int, int]:
        found = self.path.stat()
        return found.st_mtime_ns, found.st_size

    @contextlib.contextmanager
    def writing(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Open a transaction that no other writer disturbs, from its first statement on."""
        with engine.connect().execution_options(eternus_writes=True) as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def reading(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Open a transaction that sees one state of the catalog and cannot write."""
        with engine.connect() as connection, connection.begin():
            yield connection
            if self._frozen is not None and self._frozen != self._stamp():
                raise unavailable(
                    f"The catalog {self.path} was changed while it was read.", "Run again.", path=self.where
                )

    def prepare(self, connection: sa.Connection) -> None:
        """Refuse another program's database, before tables are made in it."""
        names = sa.inspect(connection).get_table_names()
        if names and version_of(connection) == 0:
            raise unavailable(
                f"The database {self.path} holds other tables and no catalog.",
                "Name another file in catalog_url.",
                path=self.where,
            )


def _begin(connection: sa.Connection) -> None:
    """Begin at SQLite: a writer takes its lock at once, a reader is kept from writing."""
    writes = bool(connection.get_execution_options().get("eternus_writes"))
    connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class EmptyDoor(SqliteDoor):
    """A catalog that is not there yet: reads as empty, in memory."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))

    def engine(self) -> sa.Engine:
        """Return an engine over an empty catalog of our version."""
        options: dict[str, Any] = {"check_same_thread": False, "isolation_level": None}
        engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool, connect_args=options)
        sa.event.listen(engine, "begin", _begin)
        with self.writing(engine) as connection:
            upgrade(connection, "in memory")
        return engine
