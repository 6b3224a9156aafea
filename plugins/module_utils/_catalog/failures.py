# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What goes wrong at a database, in the product's words; never with a password of the URL."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, quote_plus

from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass

try:
    import sqlalchemy as sa
except ImportError:  # connect.py says so before anything here runs
    ...

#: Seconds that a writer waits for another one.
LOCK_SECONDS = 30

_ROLLED_BACK = "Nothing of this transaction is in the catalog."
_NOT_KNOWN = "Whether the last transaction is in the catalog is not known; the next run looks."


def unavailable(message: str, next_step: str, **details: Any) -> BackupError:
    """Return ``catalog_unavailable``."""
    return BackupError(ErrorClass.CATALOG_UNAVAILABLE, message, next_step=next_step, **details)


def bad_url(why: str = "") -> BackupError:
    """Return ``invalid_option``; the URL is not repeated, it may bear a password."""
    return BackupError(
        ErrorClass.INVALID_OPTION,
        f"catalog_url names no catalog: it has {why}."
        if why
        else "catalog_url names no catalog: it is neither sqlite:////absolute/path nor "
        "postgresql+psycopg://user@host/database.",
        next_step="Correct catalog_url; a SQLite path begins with four slashes, and in a user's name or password "
        "%40 stands for @, %2F for /, %3A for :, %25 for %.",
        option="catalog_url",
    )


@contextmanager
def translated(where: str, secrets: Collection[str] = ()) -> Iterator[None]:
    """Turn what the database raises into ``Conflict`` (a constraint was broken) or ``catalog_unavailable``.

    :param where: the catalog in words that a message may bear.
    :param secrets: the URL's passwords, struck out should a driver repeat them.
    """
    try:
        yield
    except sa.exc.IntegrityError as error:
        raise Conflict(_reason(error, secrets)) from error
    except sa.exc.DBAPIError as error:
        reason = _reason(error, secrets)
        raise BackupError(
            ErrorClass.CATALOG_UNAVAILABLE,
            f"The catalog {where} does not answer as it should: {reason}.",
            next_step=_next_step(reason),
            unchanged=_NOT_KNOWN if error.connection_invalidated else _ROLLED_BACK,
            catalog=where,
        ) from None


def _reason(error: sa.exc.DBAPIError, secrets: Collection[str]) -> str:
    """Return the driver's own first line: SQLAlchemy's text bears the statement and its values."""
    lines = str(error.orig).strip().splitlines()
    reason = lines[0].rstrip(".") if lines else type(error.orig).__name__
    forms = {form for one in secrets if one for form in (one, repr(one)[1:-1], quote(one, safe=""), quote_plus(one))}
    for form in sorted(forms, key=len, reverse=True):
        reason = reason.replace(form, "********")
    return reason


def _next_step(reason: str) -> str:
    """Return what helps against what the driver says."""
    said = reason.lower()
    for word, step in (
        ("not a database", "Name another file in catalog_url, or put a good copy of the catalog in its place."),
        ("malformed", "Put a good copy of the catalog in its place."),
        ("locked", "Run again: another process holds the catalog for a long time."),
        ("lock timeout", "Run again: another process holds the catalog for a long time."),
        ("readonly", "Run as a user who may write the catalog's file and its directory."),
        ("unable to open", "Run as a user who may write the catalog's file and its directory."),
        ("permission denied", "Grant the database user the rights on the catalog's tables and its schema."),
        ("password", "Check user name and password in catalog_url."),
        ("full", "Make room on the file system of the catalog."),
        (
            "i/o error",
            "Look at the file system of the catalog: its room and quota, and what the kernel says of the disk.",
        ),
    ):
        if word in said:
            return step
    return "Check catalog_url, and that the database runs and is reached from here."
