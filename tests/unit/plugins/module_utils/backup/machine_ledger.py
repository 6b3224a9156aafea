# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold after every step of a random life of backups, against a simple model of behaviour.md."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta

from ansible_collections.eternus.backup.plugins.module_utils._array.model import SessionState, VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.rotation import idle_volumes
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Backup, DiskState
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.world import House

SOLO = ("oradata", "redolog")
GROUP = ("index", "archive")
NAMES = SOLO + GROUP


@dataclass
class Ledger:
    """What the test knows: the bytes of each backup, the generations seen last, what died where.

    :ivar dying: the bytes of each TV when a process died in work on it: a later run may still record that backup.
    """

    house: House
    contents: dict[str, list[int]] = field(default_factory=dict)
    dying: dict[str, list[int]] = field(default_factory=dict)
    seen: dict[str, list[Backup]] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    foreign: set[tuple[VolumeRef, VolumeRef]] = field(default_factory=set)

    def ref(self, name: str) -> VolumeRef:
        return self.house.by_name[name].ref

    def remember(self) -> None:
        """Keep what there is now, for the next step's comparison."""
        self.seen = {name: self.valid(name) for name in NAMES}

    def valid(self, name: str) -> list[Backup]:
        """Return the generations, newest first."""
        found = [backup for backup in self.house.history(name) if backup.good_on_disk]
        return found[::-1]

    def find_recovered(self) -> None:
        """Learn of backups that a later run recorded: their bytes are those of the moment of death."""
        for name in NAMES:
            for backup in self.house.history(name):
                if backup.id not in self.contents:
                    assert name in self.dying, f"backup {backup.id} of {name} comes from nowhere"
                    self.contents[backup.id] = self.dying[name]

    def check(self, *, deleted: Collection[str] = (), worked: Collection[str] = ()) -> None:
        """Hold every invariant; ``worked``: TVs that a backup or start was asked of, ``deleted``: by hand."""
        self.find_recovered()
        world = self.house.look()
        self._bytes_are_those_of_their_time()
        self._no_volume_has_two_roles(world)
        self._nothing_is_leaked(world)
        self._groups_are_whole()
        self._generations_go_by_rule_only(deleted, worked)
        self.remember()

    def _bytes_are_those_of_their_time(self) -> None:
        for name in NAMES:
            for backup in self.house.history(name):
                if backup.whole_on_disk:
                    on_bv = self.house.fabric.content[backup.disk.bv]
                    assert on_bv == self.contents[backup.id], (
                        f"{name}: {backup.id} on {self.house.bv_of(backup.disk.bv)}"
                    )

    def _no_volume_has_two_roles(self, world: World) -> None:
        carriers = [(b.disk.bv, b.tv) for history in world.backups.values() for b in history if b.disk is not None]
        assert len({bv for bv, _tv in carriers}) == len(carriers)
        for bv, tv in carriers:
            assert world.allocations[bv].tv == tv
        for volume in world.backup_volumes():
            if world.unused(volume):
                assert volume.ref not in dict(carriers)
                assert not world.touching(volume.ref)
                assert not world.readers.get(volume.ref)

    def _nothing_is_leaked(self, world: World) -> None:
        with self.house.catalog.read() as records:
            open_bvs = {tuple(entry.payload.get("bv", ())) for entry in records.open_entries()}
            open_bvs |= {tuple(entry.payload.get("target", ())) for entry in records.open_entries()}
        later = replace(world, now=world.now + timedelta(hours=1))
        for bv, row in world.allocations.items():
            if bv in {step.bv for step in idle_volumes(later, row.tv)}:
                continue  # its copy has ended meanwhile: the TV's next run frees it
            used = world.backup_on(bv, row.tv) or world.touching(bv) or world.readers.get(bv) or row.copy_type is None
            assert used or (bv.array, bv.device_id) in open_bvs, f"{self.house.bv_of(bv)} is leaked"
        for session in world.sessions.values():
            if (session.target.array, session.target.device_id) in open_bvs or session.target in world.undefined:
                continue
            row = world.allocations.get(session.target)
            mine = row is not None and row.tv == session.source
            # A tape server frees a borrowed BV while its copy still runs: nobody takes it before that has ended.
            assert mine or (row is None and not session.copy_type.mirror), f"nobody knows {session}"

    def _groups_are_whole(self) -> None:
        found: dict[str, set[str]] = {}
        for name in NAMES:
            for backup in self.house.history(name):
                if backup.group_id:
                    found.setdefault(backup.group_id, set()).add(name)
        for group_id in found.keys() - self.groups:
            assert found[group_id] == set(GROUP), f"a group of {found[group_id]}"
            times = {b.point_in_time for name in GROUP for b in self.house.history(name) if b.group_id == group_id}
            assert len(times) == 1
            self.groups.add(group_id)

    def _generations_go_by_rule_only(self, deleted: Collection[str], worked: Collection[str]) -> None:
        """A generation goes when it is deleted, or as the oldest for a newer one; a held one never by itself."""
        for name in NAMES:
            before, after = self.seen.get(name, []), self.valid(name)
            kept = {backup.id for backup in after}
            gone = [backup for backup in before if backup.id not in kept and backup.id not in deleted]
            assert not any(backup.hold for backup in gone), f"a held generation of {name} went"
            if not gone:
                continue
            assert name in worked or name in self.dying, f"{len(gone)} generations of {name} went for nothing"
            survivors = [backup for backup in after if not backup.hold]
            oldest = min((backup.point_in_time for backup in survivors), default=None)
            assert oldest is None or all(backup.point_in_time <= oldest for backup in gone)


def states(world: World, tv: VolumeRef) -> list[SessionState]:
    """Return the states of a TV's mirrors."""
    return [session.state for session in world.mirrors_of(tv)]


def counted(backups: Collection[Backup]) -> int:
    """Return how many generations count towards the policy's number: held ones do not (§5)."""
    return sum(1 for backup in backups if not backup.hold and backup.disk and backup.disk.state is DiskState.VALID)
