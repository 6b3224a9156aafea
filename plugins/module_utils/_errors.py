# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The errors of the product: a class, what happened, what was left unchanged, what to do next (behaviour.md §4)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any


class ErrorClass(str, Enum):
    """The name of a refusal or failure; part of every failed result as ``error_class``."""

    NOT_EQUIVALENT = "not_equivalent"
    NO_UNUSED_VOLUME = "no_unused_volume"
    SIZE_MISMATCH = "size_mismatch"
    VOLUME_RESERVED = "volume_reserved"
    VOLUME_IN_USE_BY_TAPE = "volume_in_use_by_tape"
    SESSION_LIMIT = "session_limit"
    UNSUPPORTED_COPY = "unsupported_copy"
    NO_SUCH_VOLUME = "no_such_volume"
    NO_SUCH_BACKUP = "no_such_backup"
    NO_SUCH_GENERATION = "no_such_generation"
    NOT_REGISTERED = "not_registered"
    POLICY_VIOLATION = "policy_violation"
    ARRAY_ERROR = "array_error"
    ARRAY_UNREACHABLE = "array_unreachable"
    NOT_AUTHORIZED = "not_authorized"
    TAPE_UNAVAILABLE = "tape_unavailable"
    NO_CARTRIDGE = "no_cartridge"
    CARTRIDGE_FULL = "cartridge_full"
    WRONG_POOL = "wrong_pool"
    FOREIGN_CARTRIDGE = "foreign_cartridge"
    SUSPECT_CARTRIDGE = "suspect_cartridge"
    CHECKSUM_MISMATCH = "checksum_mismatch"
    BUSY = "busy"
    COPY_FAILED = "copy_failed"
    ROLE_CONFLICT = "role_conflict"
    CONFIRMATION_REQUIRED = "confirmation_required"
    TARGET_UNDEFINED = "target_undefined"
    TLS_FAILED = "tls_failed"
    PROTOCOL_MISMATCH = "protocol_mismatch"
    CATALOG_UNAVAILABLE = "catalog_unavailable"
    CATALOG_SCHEMA = "catalog_schema"
    INVALID_OPTION = "invalid_option"


NOTHING_CHANGED = "Nothing was changed."

#: Characters after which a sentence is cut: ten thousand names help nobody. What is for programs stays whole.
_MOST = 2000


class BackupError(Exception):
    """A refusal or failure with a class of its own.

    :param error_class: its class, stable across releases.
    :param message: one sentence that says what happened, without secrets.
    :param next_step: one sentence that says what to do next.
    :param unchanged: one sentence that says what was left as it was.
    :param changed: whether something was changed all the same; ``unchanged`` says what was not.
    :param details: values for programs (volume names, sizes in bytes, return codes); plain JSON types only.

    A sentence of more than 2,000 characters ends after the last whole item before, and says how long it was.
    """

    def __init__(
        self,
        error_class: ErrorClass,
        message: str,
        *,
        next_step: str,
        unchanged: str = NOTHING_CHANGED,
        changed: bool = False,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.error_class = error_class
        self.message = _cut(message)
        self.next_step = _cut(next_step)
        self.unchanged = _cut(unchanged)
        self.changed = changed
        self.details = details

    def as_result(self) -> dict[str, Any]:
        """Return the keys that a failed module's result bears."""
        return {
            "error_class": self.error_class.value,
            "error": self.message,
            "unchanged": self.unchanged,
            "changed": self.changed,
            "next_step": self.next_step,
            "details": self.details,
        }

    def sentence(self) -> str:
        """Return the whole error as one line for people."""
        return f"{self.error_class.value}: {self.message} {self.unchanged} Next: {self.next_step}"


def combined(errors: Sequence[BackupError], unchanged: str = "", *, changed: bool = False) -> BackupError:
    """Make one error out of several: the first one's class; every one is listed in ``details['errors']``.

    :param unchanged: what was left as it was, for all of them; empty: what each of them says.
    """
    first = errors[0]
    changed = changed or any(error.changed for error in errors)
    unchanged = unchanged or " ".join(dict.fromkeys(error.unchanged for error in errors))
    if len(errors) == 1:
        return with_unchanged(first, unchanged, changed=changed)
    details = dict(first.details)
    details["errors"] = [error.as_result() for error in errors]
    return BackupError(
        first.error_class,
        _told([error.message for error in errors]),
        next_step=" ".join(dict.fromkeys(error.next_step for error in errors)),
        unchanged=unchanged,
        changed=changed,
        **details,
    )


def with_unchanged(error: BackupError, unchanged: str, *, changed: bool) -> BackupError:
    """Return the same error with another word on what was left as it was."""
    return BackupError(
        error.error_class,
        error.message,
        next_step=error.next_step,
        unchanged=unchanged,
        changed=changed,
        **error.details,
    )


def _cut(text: str) -> str:
    """Return a sentence, cut where it is too long to be read."""
    if len(text) <= _MOST:
        return text
    end = text.rfind(", ", _MOST // 2, _MOST)
    return f"{text[: end if end > 0 else _MOST]} and so on ({len(text)} characters in all)."


def _told(messages: Sequence[str], most: int = 5) -> str:
    """Return the first sentences; all of them are in the details."""
    shown = list(dict.fromkeys(messages))
    more = f" And {len(shown) - most} more like these." if len(shown) > most else ""
    return " ".join(shown[:most]) + more
