# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The catalog in a PostgreSQL database, for several hosts or Tower nodes (DESIGN.md, Catalog)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._catalog.failures import LOCK_SECONDS, bad_url, unavailable
from ansible_collections.eternus.backup.plugins.module_utils._catalog.schema import tables, upgrade, version_of

try:
    import sqlalchemy as sa
except ImportError:  # connect.py says so before anything here runs
    ...

#: The advisory lock under which a catalog is made: "eternus" as bytes.
_MAKING = int.from_bytes(b"eternus", "big")


def _given(url: sa.URL, option: str) -> tuple[str, ...]:
    """Return what the query of a URL says of an option, each time."""
    said = url.query.get(option, ())
    return (said,) if isinstance(said, str) else said


def _durable() -> sa.ColumnElement[str]:
    """Return what lets a transaction wait for its commit to be written, on a server that does not by itself.

    The array is asked only after the intent is on record; a commit that a crash takes back would break that.
    """
    name = "synchronous_commit"
    now = sa.func.current_setting(name)
    return sa.func.set_config(name, sa.case((now == "off", "on"), else_=now), True)


class PostgresDoor:
    """A PostgreSQL database. Writers take turns by the lock of one row, as they do at SQLite: then a plan that was made
    inside the transaction still holds when it is written, and no serialization failure can occur that a caller would
    have to repeat.
    """

    def __init__(self, url: sa.URL) -> None:
        self._url = url.set(drivername="postgresql+psycopg")
        place = f"{url.host or url.query.get('host') or 'the local socket'}" + (f":{url.port}" if url.port else "")
        self.where = f"{url.database or 'default'} at {place}"
        self.files: list[Path] = []
        self._engine: Optional[sa.Engine] = None
        self.secrets = (str(url.password or ""), *_given(url, "password"), *_given(url, "sslpassword"))

    def check(self) -> None:
        """Refuse when the driver is missing."""
        try:
            import psycopg  # noqa: F401
        except ImportError:
            raise unavailable(
                "The Python library psycopg is missing on this host, and the catalog is a PostgreSQL database.",
                "Install psycopg[binary] for the Python that runs the module.",
            ) from None

    def exists(self) -> bool:
        """Tell whether the database holds a catalog. Whoever goes on has the connection that was made for it."""
        engine, found = self.engine(), False
        try:
            with self.reading(engine) as connection:
                found = version_of(connection) > 0
                return found
        finally:
            if not found:
                engine.dispose()

    def writable(self) -> bool:
        """Tell that writing may be tried: the database knows better, and says so."""
        return True

    def make(self) -> None:
        """Make a catalog in one transaction; of two processes the second finds the first one's."""
        engine = self.engine()
        try:
            with engine.connect() as connection, connection.begin():
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MAKING)))
                upgrade(connection, self.where)
        finally:
            engine.dispose()

    def engine(self) -> sa.Engine:
        """Return the engine, one for all; a connection that died in the pool is replaced."""
        if self._engine is None:
            try:
                self._engine = sa.create_engine(self._url, pool_pre_ping=True)
            except sa.exc.ArgumentError:
                raise bad_url("hosts or ports that are not understood") from None
        return self._engine

    @contextlib.contextmanager
    def writing(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Open a transaction that no other writer disturbs: each statement after the lock sees what was committed."""
        with engine.connect() as connection, connection.begin():
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE")
            connection.execute(sa.select(sa.func.set_config("lock_timeout", f"{LOCK_SECONDS}s", True), _durable()))
            connection.execute(sa.select(tables().schema.c.version).with_for_update())
            yield connection

    @contextlib.contextmanager
    def reading(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Open a transaction that sees one state of the catalog and cannot write."""
        with engine.connect() as connection, connection.begin():
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    def prepare(self, connection: sa.Connection) -> None:
        """Nothing stands in the way: a database may hold other tables too, ours bear a prefix."""
