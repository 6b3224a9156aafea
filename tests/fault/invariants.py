# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold whatever was killed (behaviour.md §2 to §6): read from the catalog, the arrays and the tapes alone.

While nothing runs, ``violations`` must be empty after a run that ended well; ``standing`` must be empty at any time,
right after a death too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.owner import is_dead
from ansible_collections.eternus.backup.plugins.module_utils._backup.relabelling import successor
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Allocation,
    Backup,
    DiskState,
    Method,
    Policy,
    Role,
    TapeCopy,
    TapeState,
)
from ansible_collections.eternus.backup.tests.fault.ledger import Ledger, Reported
from ansible_collections.eternus.backup.tests.fault.world import World

MIRROR = 6  # a SyncType
_UUID = re.compile(rb'"uuid": "([^"]+)"')
FOLLOWS = (2, 3, 4)  # CopyStates of a mirror that goes on copying


@dataclass(frozen=True)
class Violation:
    """A rule that does not hold.

    ``kind``: lost_generation, leaked_volume, unknown_session, wrong_bytes, wrong_tape, lease_left, other.
    """

    kind: str
    text: str


def violations(world: World, ledger: Ledger) -> list[Violation]:
    """Return what is wrong while nothing runs and the last run ended well."""
    with world.records() as records:
        if records is None:
            return [Violation("other", "there is no catalog")]
        look = _Look(world, ledger, records)
        return [
            *look.lost(),
            *look.bytes(),
            *look.tapes(),
            *look.labels(),
            *look.roles(),
            *look.unknown_sessions(),
            *look.groups(),
            *look.rest(),
            *look.restored(),
        ]


def standing(world: World, ledger: Ledger) -> list[Violation]:
    """Return what is wrong right after a death: a generation is lost, or the bytes of one, on disk or tape."""
    with world.records() as records:
        if records is None:
            return []
        look = _Look(world, ledger, records, midway=True)
        return [*look.lost(), *look.bytes(), *look.tapes(), *look.groups()]


class _Look:
    """One look at everything."""

    def __init__(self, world: World, ledger: Ledger, records: Records, *, midway: bool = False) -> None:
        self.world, self.ledger, self.records, self.midway = world, ledger, records, midway
        self.volumes = {volume.ref: volume for volume in records.volumes()}
        self.backups = {backup.id: backup for backup in records.backups()}
        self.policies = {policy.tv: policy for policy in records.policies()}
        self.rows = {row.bv: row for row in records.allocations()}
        self.undefined = {marker.volume for marker in records.undefined_targets()}
        self.reading = {reader.bv for reader in records.readers()}
        self.entries = list(records.open_entries())
        self.sessions = world.sessions()

    def name(self, ref: VolumeRef) -> str:
        return self.volumes[ref].name if ref in self.volumes else str(ref)

    # what was reported is there

    def lost(self) -> Iterator[Violation]:
        for ident, told in self.ledger.reported.items():
            backup = self.backups.get(ident)
            whole = backup is not None and backup.whole_on_disk
            if told.disk and not whole and ident not in self.ledger.gone_disk and not self._went_by_rule(ident, told):
                yield Violation("lost_generation", f"{ident} of {told.volume} is no longer on disk")
            for number in told.tape:
                if ident not in self.ledger.gone_tape and not _written(backup, number):
                    yield Violation("lost_generation", f"tape copy {number} of {ident} of {told.volume} is gone")

    def _went_by_rule(self, ident: str, told: Reported) -> bool:
        """Tell whether a disk copy may be gone: newer ones, as many as the policy wants, or tape has it (§2.4, §3)."""
        policy = next((one for tv, one in self.policies.items() if self.name(tv) == told.volume), None)
        backup = self.backups.get(ident)
        if policy is None or (backup is not None and backup.hold):
            return False
        if policy.staged:
            return backup is not None and all(copy.state is TapeState.WRITTEN for copy in backup.tape)
        newer = {
            one.id
            for one in self.backups.values()
            if one.good_on_disk
            and not one.hold
            and self.name(one.tv) == told.volume
            and one.point_in_time.isoformat(timespec="microseconds") > told.point_in_time
        }
        # It may have gone while one was there that somebody has asked to delete since.
        newer |= {
            other
            for other, one in self.ledger.reported.items()
            if other in self.ledger.gone_disk and one.volume == told.volume and one.point_in_time > told.point_in_time
        }
        return len(newer) >= policy.generations - self._in_work(policy)

    def _in_work(self, policy: Policy) -> int:
        """Return 1 where the oldest generation may be given up already: a snapshot drops it first (§3).

        A journal need not be open: a relaunch that was killed as well had closed that of the first run.
        """
        overwrites = policy.method in (Method.SNAPSHOT, Method.DIFFERENTIAL, Method.AUTO) and not policy.safe_rotation
        return int(self.midway and overwrites)

    # bytes

    def bytes(self) -> Iterator[Violation]:
        for backup in self.backups.values():
            name = self.name(backup.tv)
            stood = self.ledger.at(name, backup.point_in_time)
            if backup.disk is None or not backup.whole_on_disk or not self.ledger.versions.get(name):
                continue
            found = self.world.sha256(backup.disk.bv)
            if found not in {version.sha256 for version in stood}:
                held = self._version_of(name, found)
                wanted = ", ".join(str(version.number) for version in stood) or "none"
                yield Violation("wrong_bytes", f"{backup.id} of {name} holds version {held}, its time says {wanted}")

    def _version_of(self, name: str, sha256: str) -> str:
        found = [str(one.number) for one in self.ledger.versions.get(name, []) if one.sha256 == sha256]
        return found[0] if found else "that was never there"

    def restored(self) -> Iterator[Violation]:
        for array in self.world.arrays:
            for row in array.state()["volumes"]:
                wanted = self.ledger.restored.get(row["name"])
                if wanted is not None and array.sha256(row["name"]) != wanted:
                    yield Violation("wrong_bytes", f"{row['name']} does not hold what was restored")

    def tapes(self) -> Iterator[Violation]:
        for backup in self.backups.values():
            stood = self.ledger.at(self.name(backup.tv), backup.point_in_time)
            for copy in backup.tape:
                if copy.state is TapeState.WRITTEN and self.ledger.versions.get(self.name(backup.tv)):
                    yield from self._tape(backup, copy, {version.sha256 for version in stood})

    def _tape(self, backup: Backup, copy: TapeCopy, wanted: set[str]) -> Iterator[Violation]:
        whole = hashlib.sha256()
        for part in sorted(copy.parts, key=lambda one: one.sequence):
            data = self.world.tape_file(part.barcode, part.data_file)
            whole.update(data)
            if len(data) != part.size or hashlib.sha256(data).hexdigest() != part.sha256:
                text = f"part {part.sequence} of copy {copy.number} of {backup.id} is not on {part.barcode}"
                yield Violation("wrong_tape", text)
        if whole.hexdigest() != copy.sha256 or copy.sha256 not in wanted:
            yield Violation("wrong_tape", f"copy {copy.number} of {backup.id} holds other bytes than its time says")

    def labels(self) -> Iterator[Violation]:
        """Compare each cartridge with its label: what the catalog believes to be there is there.

        One on which nothing lives may still bear the label before the one that is intended: who was to write it died,
        and what was to go onto it has gone onto another.
        """
        for cartridge in self.records.cartridges():
            label = self.world.tape_file(cartridge.barcode, 0)
            borne = _UUID.search(label)
            intended = cartridge.labelled_at is None and borne and successor(borne[1].decode()) == cartridge.uuid
            if not intended and (cartridge.uuid.encode() not in label or cartridge.pool.encode() not in label):
                yield Violation("wrong_tape", f"the label of {cartridge.barcode} is not the one that the catalog knows")
            if cartridge.suspect:
                yield Violation("wrong_tape", f"{cartridge.barcode} is suspect: {cartridge.suspect}")

    # volumes and sessions

    def roles(self) -> Iterator[Violation]:
        carried: dict[VolumeRef, list[str]] = {}
        for backup in self.backups.values():
            if backup.disk is not None:
                carried.setdefault(backup.disk.bv, []).append(backup.id)
        for volume in self.volumes.values():
            if volume.role is Role.BACKUP:
                text = self._role(volume.ref, carried.get(volume.ref, []))
                if text:
                    yield Violation("leaked_volume", f"{volume.name} {text}")
                if volume.unknown:
                    yield Violation("leaked_volume", f"{volume.name} is unknown")

    def _role(self, bv: VolumeRef, carried: list[str]) -> str:
        """Say what is wrong with a BV's role; empty when it has exactly one."""
        row = self.rows.get(bv)
        touching = [key for key in self.sessions if bv in key]
        if len(carried) > 1:
            return f"carries {' and '.join(carried)}"
        if row is None:
            used = [*carried, *("a session" for _key in touching), *("a reader" for _bv in {bv} & self.reading)]
            return f"is unused and has {used[0]}" if used else ""
        if carried and self.backups[carried[0]].tv != row.tv:
            return f"serves {self.name(row.tv)} and carries {carried[0]} of another volume"
        target = row.copy_type is None or bv in self.undefined
        if not (carried or target or bv in self.reading or (row.tv, bv) in self.sessions):
            return f"serves {self.name(row.tv)}, and nothing is on it: no generation, no session, no reader"
        return self._two_roles(row, carried)

    def _two_roles(self, row: Allocation, carried: list[str]) -> str:
        """Say whether a generation is being overwritten: a mirror follows its TV."""
        session = self.sessions.get((row.tv, row.bv))
        if carried and session is not None and session["sync_type"] == MIRROR and session["copy_state"] in FOLLOWS:
            return f"carries {carried[0]} and follows {self.name(row.tv)}"
        return ""

    def unknown_sessions(self) -> Iterator[Violation]:
        for (source, target), session in self.sessions.items():
            row = self.rows.get(target)
            serves = row is not None and row.tv == source
            restores = target in self.undefined and source in self.reading
            if not serves and not restores:
                what = f"from {self.name(source)} to {self.name(target)}, state {session['copy_state']}"
                yield Violation("unknown_session", f"nobody knows the session {what}")

    # the rest

    def groups(self) -> Iterator[Violation]:
        members: dict[str, set[VolumeRef]] = {}
        times: dict[str, set[Any]] = {}
        for backup in self.backups.values():
            if backup.group_id and backup.disk is not None:  # tape copies expire for each member (§4)
                members.setdefault(backup.group_id, set()).add(backup.tv)
                times.setdefault(backup.group_id, set()).add(backup.point_in_time)
        for group, tvs in members.items():
            names = {policy.group for tv, policy in self.policies.items() if tv in tvs}
            whole = {tv for tv, policy in self.policies.items() if policy.group in names}
            if tvs != whole and not set(self._ids(group)) & set(self.ledger.gone_disk):
                yield Violation("other", f"group {group} has {len(tvs)} of {len(whole)} members")
            if len(times[group]) > 1:
                yield Violation("other", f"group {group} has {len(times[group])} points in time")

    def _ids(self, group: str) -> list[str]:
        return [backup.id for backup in self.backups.values() if backup.group_id == group]

    def rest(self) -> Iterator[Violation]:
        for lease in self.records.leases():
            if lease.expires_at > self.world.now() and not is_dead(lease.owner):  # else nobody is hindered by it
                yield Violation("lease_left", f"{lease.name} is held by {lease.owner}")
        for entry in self.entries:
            yield Violation("other", f"{entry.kind} of {self.name(entry.tv)} is open in the journal")
        for ref in self.undefined:
            yield Violation("other", f"{self.name(ref)} is marked undefined")
        for backup in self.backups.values():
            states = {copy.state for copy in backup.tape}
            leaving = backup.disk is not None and backup.disk.state is DiskState.LEAVING
            if leaving and backup.bv not in self.reading and not states & {TapeState.QUEUED, TapeState.WRITING}:
                yield Violation("other", f"{backup.id} waits to be dropped, and nobody reads it")
            if TapeState.WRITING in states:
                yield Violation("other", f"a copy of {backup.id} is said to be written at this time")


def _written(backup: Optional[Backup], number: int) -> bool:
    return backup is not None and any(copy.number == number and copy.state is TapeState.WRITTEN for copy in backup.tape)
