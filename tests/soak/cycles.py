# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cycles: what an operator, Tower and a timer do with one unit, as generators of steps (steps.py).

Every step is asked for again, as Tower relaunches a job, until it ends well; a refusal is answered as its next step
says. What fails undisturbed, and cannot be explained, is a violation.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Generator
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, DiskState
from ansible_collections.eternus.backup.tests.fault.ledger import Ledger, Version
from ansible_collections.eternus.backup.tests.fault.world import World
from ansible_collections.eternus.backup.tests.soak.faults import Faults
from ansible_collections.eternus.backup.tests.soak.site import Unit
from ansible_collections.eternus.backup.tests.soak.steps import Ask, Done, Pause, Step, Write

Steps = Generator[Step, Done, None]
Asking = Generator[Step, Done, Done]

_MOST = 9
_PAUSES = (0, 0, 15, 60, 200, 600)


class GaveUp(Exception):
    """A step never ended well; the text says why."""


class Cycles:
    """Makes cycles of units of one world."""

    def __init__(self, world: World, ledger: Ledger, faults: Faults, chance: random.Random) -> None:
        self._world, self._ledger, self._faults, self._chance = world, ledger, faults, chance
        self._number = 0
        self.refusals: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self._makers: list[tuple[int, Callable[[Unit], Steps]]] = [
            (66, self.backup), (8, self.restore), (5, self.delete), (7, self.retention), (5, self.cancel),
            (3, self.held), (4, self.verify), (2, self.export),
        ]  # fmt: skip

    def any(self, unit: Unit) -> Steps:
        """Return a cycle by chance."""
        makers = [maker for _weight, maker in self._makers]
        (maker,) = self._chance.choices(makers, [weight for weight, _maker in self._makers])
        self.kinds[maker.__name__] += 1
        return maker(unit)

    def key(self) -> str:
        """Return a key that was never used."""
        self._number += 1
        return f"k{self._number}"

    # asking until it ends well

    def must(self, unit: Unit, module: str, *allowed: str, **args: Any) -> Asking:
        """Run a module until it ends well, or is refused as allowed."""
        done = Done()
        for attempt in range(_MOST):
            done = yield Ask(module, args, unit.tvs, calm=attempt > 4)
            if done.ok or (not done.disturbed and done.error_class in allowed):
                return done
            if not done.killed and not done.disturbed:
                self.refusals[done.error_class] += 1
                yield from self._mend(unit, module, done)
            yield Pause(self._chance.choice(_PAUSES))
        raise GaveUp(f"{module} of {', '.join(unit.tvs)} never ended well: {done.why}")

    def _mend(self, unit: Unit, module: str, done: Done) -> Steps:
        """Do what a refusal's next step says; GaveUp where it cannot be explained."""
        what = done.error_class
        if what == "busy":
            yield Pause(200)
        elif what in ("copy_failed", "not_equivalent") and module == "eternus_backup":
            yield Ask("eternus_sync", {**unit.what, "state": "cancelled"}, unit.tvs, calm=True)
            yield Ask("eternus_sync", unit.what, unit.tvs, calm=True)
        elif what == "copy_failed" and module == "eternus_sync":
            yield Ask("eternus_sync", {**unit.what, "state": "cancelled"}, unit.tvs, calm=True)
        elif what in ("volume_in_use_by_tape", "no_unused_volume") and unit.tape:
            yield Ask("tape_copy", {"volumes": list(unit.tvs)}, unit.tvs, calm=True)
        elif what in ("no_cartridge", "cartridge_full", "suspect_cartridge", "tape_unavailable", "foreign_cartridge"):
            yield Ask("tape_cartridge", self._faults.fresh(3), unit.tvs, calm=True)
        else:
            raise GaveUp(f"{module} of {', '.join(unit.tvs)} failed undisturbed: {done.why}")

    def _history(self, tv: str) -> list[Backup]:
        """Return a volume's backups, newest first."""
        with self._world.records() as records:
            assert records is not None
            ref = records.find_volumes([tv])[tv].ref
            return list(records.backups(tvs=[ref]))[::-1]

    # the cycles

    def backup(self, unit: Unit) -> Steps:
        """Synchronize where the method does, back up, bring it to tape now and then, let hosts write."""
        if unit.mirror:
            yield from self.must(unit, "eternus_sync", **unit.what)
        if self._chance.random() < 0.8:
            yield Write(unit.tvs)
        if unit.staged:
            yield from self._tape(unit)
        yield from self.must(unit, "eternus_backup", **unit.what, key=self.key())
        if self._chance.random() < 0.5:
            yield Write(unit.tvs)
        if unit.tape and self._chance.random() < 0.7:
            yield from self._tape(unit)

    def _tape(self, unit: Unit) -> Steps:
        verify = self._chance.random() < 0.2
        spoilt = verify and any(one.id in self._faults.damage.backups for tv in unit.tvs for one in self._history(tv))
        allowed = ("checksum_mismatch", "suspect_cartridge") if spoilt else ()
        yield from self.must(unit, "tape_copy", *allowed, volumes=list(unit.tvs), verify=verify)

    def held(self, unit: Unit) -> Steps:
        """Hold the newest backup over another one, then release it."""
        for tv in unit.tvs:
            found = [one.id for one in self._history(tv) if one.good_on_disk]
            if found:
                yield from self.must(unit, "eternus_generation", state="held", backup_ids=found[:1])
        yield from self.backup(unit)
        for tv in unit.tvs:
            found = [one.id for one in self._history(tv) if one.hold]
            if found:
                yield from self.must(unit, "eternus_generation", state="released", backup_ids=found)

    def cancel(self, unit: Unit) -> Steps:
        """Start and cancel; now and then all sessions, suspended ones too."""
        if unit.mirror:
            yield from self.must(unit, "eternus_sync", **unit.what)
        every = {"all": True} if self._chance.random() < 0.3 else {}
        yield from self.must(unit, "eternus_sync", **unit.what, state="cancelled", **every)

    def delete(self, unit: Unit) -> Steps:
        """Delete one of several backups, of a group's members all."""
        found = [[one for one in self._history(tv) if one.disk or one.tape] for tv in unit.tvs]
        if min(map(len, found)) < 2:
            yield from self.backup(unit)
            return
        chosen = self._chance.choice(found[0][1:])
        ids = [one.id for every in found for one in every if one is chosen or _together(one, chosen)]
        media = self._chance.choice(("disk", "tape", "both"))
        before = (list(self._ledger.gone_disk), list(self._ledger.gone_tape))
        self._ledger.gone_disk += ids if media != "tape" else []
        self._ledger.gone_tape += ids if media != "disk" else []
        refusals = ("confirmation_required", "volume_in_use_by_tape", "no_such_backup", "no_such_generation")
        done = yield from self.must(unit, "eternus_generation", *refusals, state="absent", backup_ids=ids, media=media)
        if not done.ok and done.error_class in refusals[:2]:
            self._ledger.gone_disk, self._ledger.gone_tape = before

    def retention(self, unit: Unit) -> Steps:
        """Let go what the policy keeps no longer. Which copies may go is worked out here once more."""
        if unit.tape:
            for tv in unit.tvs:
                written = [one for one in self._history(tv) if one.good_on_tape]
                self._ledger.gone_tape += [one.id for one in written[3:] if not one.hold]
        yield from self.must(unit, "eternus_generation", state="expired", volumes=list(unit.tvs))

    def verify(self, unit: Unit) -> Steps:
        """Read tape copies: those that were spoilt are found out, and no other."""
        found = [one.id for tv in unit.tvs for one in self._history(tv) if one.good_on_tape]
        if not found:
            yield from self.backup(unit)
            return
        spoilt = [one for one in found if one in self._faults.damage.backups]
        for ident in [*spoilt, *found][:2]:
            allowed = ("checksum_mismatch", "suspect_cartridge") if ident in self._faults.damage.backups else ()
            done = yield from self.must(unit, "tape_verify", *allowed, backups=[ident])
            if done.ok and allowed and self._still_told(ident):
                raise GaveUp(f"a bit of the tape copy of {ident} was flipped, and tape_verify finds it good")

    def _still_told(self, ident: str) -> bool:
        """Tell whether the catalog still says that a spoilt copy is written: it was not made good by another one."""
        with self._world.records() as records:
            assert records is not None
            return any(one.id == ident and one.good_on_tape for one in records.backups()) and not self._rewritten(ident)

    def _rewritten(self, ident: str) -> bool:
        with self._world.records() as records:
            assert records is not None
            copies = [copy for one in records.backups() if one.id == ident for copy in one.tape]
        return any(not {part.barcode for part in copy.parts} & self._faults.damage.barcodes for copy in copies)

    def export(self, unit: Unit) -> Steps:
        """Export the catalog while others work."""
        yield from self.must(
            unit, "eternus_catalog", state="exported", path=str(self._world.directory / f"export-{unit.tvs[0]}")
        )

    def restore(self, unit: Unit) -> Steps:
        """Restore a volume, or another one from it, from disk or from tape; nothing is synchronized meanwhile."""
        tv = self._chance.choice(unit.tvs)
        good = [one for one in self._history(tv) if one.id not in self._faults.damage.backups]
        taped = [one for one in good if one.good_on_tape]
        whole = [one for one in good if one.disk and one.disk.state in (DiskState.VALID, DiskState.BORROWED)]
        if not taped and not whole:
            yield from self.backup(unit)
            return
        from_tape = bool(taped) and (not whole or self._chance.random() < 0.4)
        backup = self._chance.choice(taped if from_tape else whole)
        yield from self.must(unit, "eternus_sync", **unit.what, state="cancelled")
        elsewhere = self._chance.random() < 0.3
        target = f"spare-{tv}" if elsewhere else tv
        self._ledger.restored.pop(target, None)
        begun = self._world.now().isoformat(timespec="microseconds")
        yield from self.must(
            unit, "tape_restore" if from_tape else "eternus_restore", volume=tv, backup_id=backup.id, key=self.key(),
            **({"target": self._faults.device(target)} if elsewhere else {"confirm": tv}),
        )  # fmt: skip
        versions = self._ledger.versions[tv]
        stood = next(iter(self._ledger.at(tv, backup.point_in_time)), None)
        if stood is None:
            raise GaveUp(f"nobody knows what {tv} held at {backup.point_in_time.isoformat()}")
        self._ledger.restored[target] = stood.sha256
        if not elsewhere:
            versions[-1].until = begun
            now = self._world.now().isoformat(timespec="microseconds")
            versions.append(Version(len(versions), stood.sha256, begun, now))
        if self._chance.random() < 0.5 and not elsewhere:
            yield Write((tv,))


def _together(one: Backup, chosen: Backup) -> bool:
    return bool(chosen.group_id) and one.group_id == chosen.group_id
