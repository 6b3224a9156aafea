# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong in a CIM-XML conversation: inside an answer (CimError), or in place of one (ProtocolError)."""

from __future__ import annotations

FAILED = 1
ACCESS_DENIED = 2
INVALID_NAMESPACE = 3
INVALID_PARAMETER = 4
INVALID_CLASS = 5
NOT_FOUND = 6
NOT_SUPPORTED = 7
NO_SUCH_PROPERTY = 12
TYPE_MISMATCH = 13
METHOD_NOT_AVAILABLE = 16
METHOD_NOT_FOUND = 17
INVALID_ENUMERATION_CONTEXT = 21
FILTERED_ENUMERATION_NOT_SUPPORTED = 25


class CimError(Exception):
    """An ERROR element of the answer: one of the standard's status codes (DSP0200) and words."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class ProtocolError(Exception):
    """The request is no CIM-XML that we read: an http status, and what the CIMError header says."""

    def __init__(self, status: int, cimerror: str, detail: str = "") -> None:
        super().__init__(detail or cimerror)
        self.status = status
        self.cimerror = cimerror
        self.detail = detail
