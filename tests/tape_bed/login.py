# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What target and initiator agree on when a session begins (RFC 7143 §13). No digests, no authentication: loopback."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1 << 20
_FIXED = {
    "HeaderDigest": "None",
    "DataDigest": "None",
    "AuthMethod": "None",
    "InitialR2T": "No",
    "ImmediateData": "Yes",
    "DataPDUInOrder": "Yes",
    "DataSequenceInOrder": "Yes",
    "MaxConnections": "1",
    "MaxOutstandingR2T": "1",
    "ErrorRecoveryLevel": "0",
    "DefaultTime2Wait": "2",
    "DefaultTime2Retain": "0",
    "IFMarker": "No",
    "OFMarker": "No",
}
_UNANSWERED = ("InitiatorName", "InitiatorAlias", "TargetName", "SessionType")


@dataclass
class Agreed:
    """Bytes: what may be sent in one unit, and what may be asked for at once."""

    segment: int = 8192
    burst: int = 256 * 1024

    def negotiate(self, offered: dict[str, str]) -> dict[str, str]:
        """Take the initiator's offers; return the answers."""
        answers = {}
        if "TargetName" in offered:
            answers["TargetPortalGroupTag"] = "1"
        for key, value in offered.items():
            if key in _UNANSWERED:
                continue
            if key == "InitialR2T":
                answers[key] = value
            elif key in _FIXED:
                answers[key] = _FIXED[key]
            elif key == "MaxRecvDataSegmentLength":
                self.segment = int(value)
                answers[key] = str(_MIB)
            elif key == "FirstBurstLength":
                answers[key] = str(min(int(value), _MIB))
            elif key == "MaxBurstLength":
                self.burst = min(int(value), 16 * _MIB)
                answers[key] = str(self.burst)
            else:
                answers[key] = "NotUnderstood"
        return answers
