# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A media changer by mtx: what lies where, and moves (tape.md, Two backends)."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape.scsi_sg import is_changer

#: Seconds. The slowest robots need some three minutes for a move.
MOVE_SECONDS, LOOK_SECONDS = 900, 300
_DRIVE = re.compile(
    r"\s*Data Transfer Element (?P<number>\d+):(?P<full>Full|Empty)"
    r"(?: \((?:Storage Element (?P<home>\d+)|Unknown Storage Element) Loaded\))?(?:\s*:\s*VolumeTag\s*=(?P<tag>[^:]*))?"
)
_SENSE, _CODES = "mtx: Request Sense:", ("Additional Sense Code", "Additional Sense Qualifier")
_SLOT = re.compile(
    r"\s*Storage Element (?P<number>\d+)(?P<outside> IMPORT/EXPORT)?:(?P<full>Full|Empty)"
    r"(?:\s*:\s*VolumeTag\s*=(?P<tag>[^:]*))?"
)


@dataclass(frozen=True)
class Place:
    """A place for one cartridge, by mtx's number. ``home``: the slot from which a drive was loaded, if it is known."""

    number: int
    full: bool
    barcode: str = ""
    home: Optional[int] = None
    outside: bool = False

    @property
    def name(self) -> str:
        """Return how people call a slot."""
        return f"{'import/export slot' if self.outside else 'slot'} {self.number}"


@dataclass(frozen=True)
class ChangerStatus:
    """What lies where."""

    drives: tuple[Place, ...]
    slots: tuple[Place, ...]

    def empty(self, *, outside: bool) -> Iterator[Place]:
        """Give the free slots of a kind."""
        return (slot for slot in self.slots if not slot.full and slot.outside == outside)


def parse_status(text: str) -> ChangerStatus:
    """Read what ``mtx status`` prints."""
    drives, slots = [], []
    for line in text.splitlines():
        drive, slot = _DRIVE.match(line), _SLOT.match(line)
        if drive:
            home = int(drive["home"]) if drive["home"] else None
            drives.append(Place(int(drive["number"]), drive["full"] == "Full", _tag(drive), home))
        elif slot:
            slots.append(Place(int(slot["number"]), slot["full"] == "Full", _tag(slot), outside=bool(slot["outside"])))
    return ChangerStatus(tuple(drives), tuple(slots))


def _tag(match: re.Match[str]) -> str:
    return (match["tag"] or "").strip() if match["full"] == "Full" else ""


def in_short(said: str) -> str:
    """Return what mtx says of a failure: its own words, and the sense data's three figures instead of their page."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    words = " / ".join(line for line in lines if not line.startswith(_SENSE))[-300:]
    sense = {name.strip(): value.strip() for name, _equals, value in (line.partition("=") for line in lines)}
    told = [sense.get(f"{_SENSE} {name}", "") for name in ("Sense Key", *_CODES)]
    return f"{words or 'nothing'}" + (f" ({told[0]}, {told[1]}/{told[2]})" if all(told) else "")


class Changer:
    """A robot and its device, an sg or sch one."""

    def __init__(self, device: str) -> None:
        self.device = device

    def unavailable(self, why: str) -> BackupError:
        """Return the error for a library that does not do what it is told."""
        return BackupError(
            ErrorClass.TAPE_UNAVAILABLE,
            f"The tape library {self.device} cannot be used: {why}.",
            next_step="Check the option 'library' (ETERNUS_TAPE_LIBRARY), the rights on that device, and the library's "
            "own panel.",
            library=self.device,
        )

    def _mtx(self, *words: str, seconds: int = MOVE_SECONDS) -> str:
        """Run mtx and return what it prints; ``tape_unavailable`` bears its own words."""
        try:
            done = subprocess.run(
                ["mtx", "-f", self.device, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                env={**os.environ, "LC_ALL": "C"},
                check=False,
            )
        except FileNotFoundError as error:
            raise self.unavailable("the command mtx is missing; the package mtx has it") from error
        except subprocess.TimeoutExpired as error:
            raise self.unavailable(f"mtx {' '.join(words)} did not end within {seconds} seconds") from error
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode("utf-8", "replace")
            raise self.unavailable(f"mtx {' '.join(words)} said: {in_short(said)}")
        return done.stdout.decode("utf-8", "replace")

    def status(self) -> ChangerStatus:
        """Look what lies where."""
        try:
            if not is_changer(self.device):  # mtx would wait for minutes for a tape in a drive
                raise self.unavailable("it is no media changer")
        except OSError as error:
            raise self.unavailable(os.strerror(error.errno) if error.errno else str(error)) from error
        found = parse_status(self._mtx("status", seconds=LOOK_SECONDS))
        if not found.drives:
            raise self.unavailable("it shows no drives; is it a media changer?")
        return found

    def load(self, slot: int, drive: int) -> None:
        """Move a cartridge from a slot into a drive."""
        self._mtx("load", str(slot), str(drive))

    def unload(self, slot: int, drive: int) -> None:
        """Move a cartridge, which the drive has ejected, into a slot."""
        self._mtx("unload", str(slot), str(drive))

    def transfer(self, source: int, target: int) -> None:
        """Move a cartridge from slot to slot."""
        self._mtx("transfer", str(source), str(target))
