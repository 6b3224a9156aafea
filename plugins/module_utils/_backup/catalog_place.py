# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Where an export is written: never half of it, never through a link, never over something else."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_file import FORMAT, bad_file
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


def check_place(path: Path, forbidden: Collection[Path], *, force: bool) -> None:
    """Refuse with ``invalid_option`` a place that no export belongs to.

    :param forbidden: files that are never written over: the catalog's own.
    :param force: write over a file that holds anything else.
    """
    if not path.is_absolute():
        raise bad_file(str(path), "it is not an absolute path")
    try:
        _check_directory(path.parent)
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise bad_file(str(path), f"it is out of reach ({error.strerror})") from None
    if stat.S_ISLNK(mode):
        raise bad_file(str(path), "it is a symbolic link, and none is followed")
    if not stat.S_ISREG(mode):
        raise bad_file(str(path), "it is not a file")
    if any(one.exists() and path.samefile(one) for one in forbidden):
        raise bad_file(str(path), "it is the catalog itself")
    if not force and not _may_be_replaced(path):
        raise BackupError(
            ErrorClass.CONFIRMATION_REQUIRED,
            f"{path} is there and is no export of a catalog.",
            next_step="Name another file in path, or give force: true to write over this one.",
            path=str(path),
        )


def _check_directory(place: Path) -> None:
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:
        raise bad_file(str(place), "there is no such directory") from None
    if stat.S_ISLNK(mode):
        raise bad_file(str(place), "it is a symbolic link, and none is followed")
    if not stat.S_ISDIR(mode):
        raise bad_file(str(place), "it is not a directory")


def _may_be_replaced(path: Path) -> bool:
    """Tell whether a file is an export, good or bad, or empty."""
    with path.open("rb") as file:
        start = file.read(4096)
    return not start or f'"format":"{FORMAT}"'.encode() in start


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a new file for its owner alone (0600) that takes its place at the end of the block, whole and on the disk.

    Written beside its place under a name that nobody can foresee; an exception leaves what was there. A failure to
    write is ``invalid_option``.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            with suppress(FileNotFoundError):
                draft.unlink()
        _sync_directory(path.parent)
    except OSError as error:
        raise _not_written(path, error) from None


def _sync_directory(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems know no such thing
            raise
    finally:
        os.close(descriptor)


def _not_written(path: Path, error: OSError) -> BackupError:
    return BackupError(
        ErrorClass.INVALID_OPTION,
        f"{path} cannot be written: {error.strerror}.",
        next_step="Make room or get the right to write there, or name another file in path.",
        option="path",
        path=str(path),
    )
