# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The array's return codes: what each means, which error it becomes, what to do next (array.md). No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass

OK = 0
NOT_SUPPORTED = 1
FAILED = 4
JOB_STARTED = 4096
DEVICE_BUSY = 32787
NO_SESSION = 32793
WRONG_PHASE = 32794
NO_VOLUME = 32807

#: Only this one means: the same request may be sent again (array.md, Connection).
RETRY = frozenset({DEVICE_BUSY})

_LOOK = "Look at the array's own event log, then run the task again."
_LATER = "Wait until the array has finished, then run the task again."
_LICENSE = "Register the Advanced Copy licence on the array, or choose a copy that it offers."
_END_SESSIONS = "End copy sessions that are no longer needed, then run the task again."
_TABLE = "Set up a larger copy table on the array, then run the task again."
_CASCADE = "Suspend or end the session that ends at the source, then run the task again."
_EXISTS = "Check the volume's name and on which array it lies."


class Act(str, Enum):
    """What the array was asked to do with a pair."""

    START = "start"
    SUSPEND = "suspend"
    RESUME = "resume"
    RELEASE = "release"


@dataclass(frozen=True)
class Code:
    """A return code: its meaning in words, the class of the error that it becomes, what to do next."""

    meaning: str
    error_class: ErrorClass = ErrorClass.ARRAY_ERROR
    next_step: str = _LOOK


CODES: Mapping[int, Code] = {
    NOT_SUPPORTED: Code("this copy is not supported", ErrorClass.UNSUPPORTED_COPY, _LICENSE),
    FAILED: Code("the array failed to do it"),
    5: Code("a parameter is not valid"),
    4097: Code(
        "the size is not supported",
        ErrorClass.SIZE_MISMATCH,
        "Use a target of exactly the source's size, in blocks.",
    ),
    32781: Code("this is not available in the array's configuration", ErrorClass.UNSUPPORTED_COPY, _LICENSE),
    32782: Code("a firmware update is in process", next_step=_LATER),
    32786: Code("the volume is busy", next_step=_LATER),
    DEVICE_BUSY: Code("the device is busy", next_step=_LATER),
    32788: Code("the name is in use", next_step="Choose another name."),
    32791: Code("the array's number of copy sessions is reached", ErrorClass.SESSION_LIMIT, _END_SESSIONS),
    32792: Code("there is no copy licence", ErrorClass.UNSUPPORTED_COPY, _LICENSE),
    NO_SESSION: Code("the session does not exist", next_step="Start the copy first."),
    WRONG_PHASE: Code("the session is not in the phase for this", next_step="Look at the session's state first."),
    32804: Code("the volume is not operative"),
    NO_VOLUME: Code("the volume is unknown to the array", ErrorClass.NO_SUCH_VOLUME, _EXISTS),
    32816: Code("the array reports a fatal error"),
    32818: Code("the path for remote copies failed", next_step="Check the REC path between the arrays."),
    32819: Code("a RAID group failed during the copy"),
    32820: Code("the previous command is still in process", next_step=_LATER),
    32821: Code("a session ends at the source already (cascade, local)", next_step=_CASCADE),
    32822: Code("a session ends at the source and is not suspended (cascade, EC or REC)", next_step=_CASCADE),
    35302: Code("an element is not valid"),
    35304: Code("an element is in a state that does not allow this"),
    35324: Code("the RAID group is broken"),
    35331: Code("the device's number of copy sessions is reached", ErrorClass.SESSION_LIMIT, _END_SESSIONS),
    35333: Code("the source's number of copy sessions is reached", ErrorClass.SESSION_LIMIT, _END_SESSIONS),
    35334: Code(
        "the target's number of copy sessions is reached: it is a target already",
        ErrorClass.SESSION_LIMIT,
        "Choose another target, or end the session that ends at this one.",
    ),
    35346: Code("the copy table is not set up", next_step=_TABLE),
    35347: Code("the copy table is too small", next_step=_TABLE),
}

_NOT_EQUIVALENT = "Wait until the pair is equivalent, then run the task again."


def meaning_of(code: int) -> str:
    """Return a code's meaning in words."""
    known = CODES.get(code)
    return known.meaning if known else "a code that this version does not know"


def ended(act: Act, code: int) -> bool:
    """Tell whether a code means that the session is as asked: one that does not exist counts as ended (array.md)."""
    return code == OK or (act is Act.RELEASE and code == NO_SESSION)


def error_for(code: int, act: Act, subject: str, *, description: str = "", **details: Any) -> Optional[BackupError]:
    """Return the error that a return code becomes; None when it means success.

    :param subject: the pair in words, e.g. ``EC oradata -> bv01``.
    :param description: what the array itself said about it (ErrorDescription).
    :param details: further values for programs.
    """
    if ended(act, code):
        return None
    known = CODES.get(code, Code(meaning_of(code)))
    error_class, next_step = known.error_class, known.next_step
    if act is Act.SUSPEND and code in (WRONG_PHASE, NO_SESSION):
        error_class, next_step = ErrorClass.NOT_EQUIVALENT, _NOT_EQUIVALENT
    said = f" ({description})" if description else ""
    return BackupError(
        error_class,
        f"The array refused to {act.value} {subject}: {known.meaning}, code {code}{said}.",
        next_step=next_step,
        code=code,
        meaning=known.meaning,
        **details,
    )
