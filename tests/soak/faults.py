# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults by chance: death of a module's process, the array and the way to it, cartridges."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock, Wait
from ansible_collections.eternus.backup.plugins.module_utils._waiting import wait_until
from ansible_collections.eternus.backup.tests.fault.world import Crash, World
from ansible_collections.eternus.backup.tests.soak.site import CAPACITY, barcodes
from ansible_collections.eternus.backup.tests.soak.steps import Ask

#: How often a call meets a fault, and how often a rerun does.
OFTEN, AGAIN = 0.35, 0.12

_ANY = (
    {"action": "lose_answer"},
    {"action": "drop_before"},
    {"action": "drop_connection"},
    {"action": "half_xml"},
    {"action": "bad_encoding"},
    {"action": "http_error", "code": 503},
    {"action": "deny", "code": 401},
    {"action": "delay", "delay": 0.2},
    {"action": "restart", "delay": 0.3},
)
_ACTS = ("CreateElementReplica", "CreateListReplica", "ModifyReplicaSynchronization", "ModifyListSynchronization")
_CODES = (1, 4, 32786, 32787, 32791, 32794, 32804, 32816, 32819, 35304, 35331, 35333)


@dataclass
class Damage:
    """Cartridges that were spoilt on purpose, and the backups whose tape copy was."""

    barcodes: set[str] = field(default_factory=set)
    backups: set[str] = field(default_factory=set)
    protected: str = ""


@dataclass(frozen=True)
class Fault:
    """What happens to one call."""

    kind: str
    crash: Optional[Crash] = None
    point: Optional[dict[str, Any]] = None


class Faults:
    """Draws faults, and carries out those outside the module's process."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world, self._chance = world, chance
        self._events: dict[str, list[int]] = {}
        self.damage = Damage()
        self.counted: Counter[str] = Counter()
        self._cartridges = 0

    def draw(self, ask: Ask, *, again: bool) -> Optional[Fault]:
        """Return what is to happen to a call; None for nothing."""
        if ask.calm or self._chance.random() >= (AGAIN if again else OFTEN):
            return None
        array = ask.module.startswith("eternus_") and ask.module != "eternus_catalog"
        kind = self._chance.choice(("kill", "kill", "array" if array else "kill", "array" if array else "tape"))
        if kind == "tape" and ask.module != "tape_copy":
            kind = "kill"
        if kind == "kill":
            most = max(self._events.get(ask.module, [])[-20:], default=12) + 1
            return Fault(kind, Crash(self._chance.randint(1, most), self._chance.choice(("before", "after"))))
        return Fault(kind, point=self._point(ask)) if kind == "array" else Fault(kind)

    def learn(self, ask: Ask, events: int) -> None:
        """Take down how many events a call had."""
        self._events.setdefault(ask.module, []).append(events)

    def _point(self, ask: Ask) -> dict[str, Any]:
        what = self._chance.random()
        if what < 0.15 and ask.module == "eternus_sync":
            device = self.device(self._chance.choice(ask.tvs))
            return {"on": "copy", "action": "break_session", "at": 60, "match": {"source": device}}
        if what < 0.55:
            return {"on": self._chance.choice(_ACTS), "action": "refuse", "code": self._chance.choice(_CODES)}
        return {"on": "*", "after": self._chance.randint(1, 8), **self._chance.choice(_ANY)}

    def device(self, name: str) -> str:
        """Return a volume's DeviceID."""
        return next(str(row["device_id"]) for row in self._world.array.state()["volumes"] if row["name"] == name)

    # cartridges

    def spoil(self) -> str:
        """Do something to a cartridge; return what, empty where there was nothing to do it to."""
        what = self._chance.choice(("protected", "unwritable", "flipped"))
        return what if getattr(self, f"_{what}")() else ""

    def _sound(self) -> list[Any]:
        with self._world.records() as records:
            assert records is not None
            known = list(records.cartridges())
        return [one for one in known if one.barcode not in self.damage.barcodes and not one.suspect]

    def _protected(self) -> bool:
        """Set the tab of a cartridge; :meth:`calm` takes it away."""
        barcode = self._chance.choice(self._sound()).barcode
        self._tab(barcode, True)
        self.damage.protected = barcode
        self.damage.barcodes.add(barcode)  # whoever meets it marks it suspect, and passes it over
        return True

    def _tab(self, barcode: str, protected: bool) -> None:
        file = self._world.library / barcode / "cartridge.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "write_protected": protected}))

    def _unwritable(self) -> bool:
        """Let the next tape file of a cartridge that can be written to be a directory: a write error."""
        found = [one for one in self._sound() if not one.full]
        if len(found) < 4:
            return False
        barcode = self._chance.choice(found).barcode
        place = self._world.library / barcode
        files = json.loads((place / "cartridge.json").read_text())["files"]
        if (place / f"{files:05d}").exists():
            return False
        (place / f"{files:05d}").mkdir()
        self.damage.barcodes.add(barcode)
        return True

    def _flipped(self) -> bool:
        """Flip a bit of a written copy; never of a backup's last one."""
        with self._world.records() as records:
            assert records is not None
            backups = [one for one in records.backups() if one.good_on_disk and one.good_on_tape]
        backups = [one for one in backups if one.id not in self.damage.backups]
        if not backups:
            return False
        backup = self._chance.choice(backups)
        part = next(copy for copy in backup.tape if copy.parts and copy.sha256).parts[0]
        file = self._world.library / part.barcode / f"{part.data_file:05d}"
        with file.open("r+b") as tape:
            tape.seek(self._chance.randrange(part.size))
            byte = tape.read(1)[0]
            tape.seek(-1, 1)
            tape.write(bytes([byte ^ 1]))
        self.damage.backups.add(backup.id)
        self.damage.barcodes.add(part.barcode)
        return True

    def calm(self) -> None:
        """Take away what does not stay: failpoints, and the tab of a cartridge. Returns when the array answers."""
        wait_until(self._answers, bool, Wait(0.05, 10.0), SystemClock())
        if self.damage.protected:
            self._tab(self.damage.protected, False)
            self.damage.protected = ""

    def _answers(self) -> bool:
        try:
            self._world.array.unfail()
        except OSError:  # it restarts
            return False
        return True

    def fresh(self, count: int) -> dict[str, Any]:
        """Return the arguments by which an operator adds cartridges to the pool."""
        self._cartridges += count
        return {"barcodes": barcodes(1000 + self._cartridges, count), "pool": "weekly", "capacity": CAPACITY}
