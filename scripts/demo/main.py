# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo: seven steps by ordinary playbooks over a simulated array, and whether each did what it should.

Called by scripts/demo.sh with the directory in which everything lies. Ends with 0 when all went well.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from shlex import quote
from typing import Any

import declared as site
from closing import Report
from door import Door
from ledger import Ledger
from play import Failed, Player, environment_of

PLAYS = Path(__file__).resolve().parent / "plays"
INVENTORY = 'localhost ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"\n'
SLOW, STEADY, FREE = 1 << 19, 64 << 20, 0  # bytes per second of the array's copies


class Demo:
    """The steps, in their order."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.report = Report()
        self.ledger = Ledger(site.TVS, seed=20260122)
        self.erp = Ledger(site.GROUP, seed=20261122)
        self.expected: dict[str, str] = {}  # of a backup's id
        self.suspended: dict[str, int] = {}  # BV of oradata: mark of its suspend
        (directory / "inventory").write_text(INVENTORY, encoding="utf-8")
        hooks = {
            f"{role}_post_{step}": str(PLAYS / f"post_{step}.yml")
            for role, step in (("synchronize", "sync"), ("backup", "backup"), ("tape", "tape"), ("restore", "restore"))
        }
        common = {
            **hooks,
            "demo_results": str(directory / "results"),
            "synchronize_progress_interval": 1,
            "synchronize_poll_interval": 0.25,
            "restore_poll_interval": 0.25,
        }
        self.player = Player(directory, common, {})

    def prepare(self) -> None:
        """Start the array, and give the volumes real data."""
        head("0. A simulated array over https, three volumes of real data, a tape library in a directory")
        self.player.play(
            str(PLAYS / "array.yml"),
            simulated_array_directory=str(self.directory / "array"),
            simulated_array_volumes=site.VOLUMES,
        )
        self.door = Door(self.directory / "array")
        self.player.environment = environment_of(self.door.endpoint, self.door.password, self.directory)
        self.names = self.door.names()
        for volume in site.TVS:
            self.door.put(volume, self.ledger.fill(volume))
        for volume in site.GROUP:
            self.door.put(volume, self.erp.fill(volume))

    def configure(self) -> None:
        """Step 1."""
        head("1. configure, and once more")
        self.player.play("eternus.backup.configure", **site.DECLARED)
        self.report.second_configure_changed = self.player.play("eternus.backup.configure", **site.DECLARED).changed
        self._refused("policy_violation", "eternus.backup.configure", **site.TOO_MUCH)

    def synchronize_first(self) -> None:
        """Step 2: a backup that comes too early is refused; then everything becomes equivalent."""
        head("2. synchronize; a backup before all is equivalent is refused")
        self.door.knobs(copy_rate=SLOW)
        self.player.play("eternus.backup.synchronize", synchronize_wait=False)
        self._refused("not_equivalent", "eternus.backup.backup", backup_key="cycle-1")
        self.door.knobs(copy_rate=STEADY)
        self._synchronize(1)
        self.door.knobs(copy_rate=FREE)

    def cycles(self) -> None:
        """Step 3."""
        head("3. five cycles of synchronize and backup, with writes all the time")
        for cycle in range(1, site.CYCLES + 1):
            if cycle > 1:
                self._write(count=50, length=2 << 20)  # while nothing mirrors
                self._synchronize(cycle)
            self._write(count=25, length=1 << 20)  # while the pairs are equivalent
            self._back_up(cycle)

    def tape(self) -> None:
        """Step 4."""
        head("4. tape: what is not there yet, and all of it verified")
        self.player.play("eternus.backup.tape", tape_verify=True)

    def restore(self) -> None:
        """Step 5: writes go on after the last backup, so that a restore has something to undo."""
        head("5. restore: oradata's generation 2 elsewhere from disk, redolog onto itself from tape")
        self._write(count=50, length=2 << 20)
        self._refused(
            "confirmation_required", "eternus.backup.restore", restore_volume="redolog", restore_source="tape"
        )
        self._restore("disk", "oradata", site.TARGET, restore_generation=2, restore_target=site.TARGET)
        self._restore("tape", "redolog", "redolog", restore_confirm="redolog")

    def group(self) -> None:
        """Step 6: two volumes of one application at one instant; back in time; and proof that it can be restored."""
        head("6. a consistency group; a restore to a point in time; a restore test of every member")
        self.player.play("eternus.backup.configure", **site.DECLARED_GROUP)
        for number in (1, 2):
            self.player.play("eternus.backup.synchronize", synchronize_groups=["erp"])
            self.door.write({volume: self.erp.scatter(volume, 20) for volume in site.GROUP})
            ended = self.player.play("eternus.backup.backup", backup_groups=["erp"], backup_key=f"erp-{number}")
            members = ended.results["backup"]["backups"]
            self.report.groups.append(members)
            self.expected.update({one["id"]: self.erp.sha256(one["volume"]) for one in members})
        between = self.report.groups[0][0]["point_in_time"]
        self._restore("disk", "erpdata", site.LAB, restore_at=between, restore_target=site.LAB)
        self.report.back_to = self.report.restores[-1]
        self.player.play(
            "eternus.backup.restore_test", restore_test_volumes=list(site.GROUP), restore_test_target=site.LAB
        )

    def close(self) -> bool:
        """Step 7."""
        shown = self.player.play(str(PLAYS / "show.yml")).results["show"]
        counters = self.door.counters()
        self.report.shown, self.report.requests, self.report.bytes = shown, counters["requests"], counters["bytes"]
        ok = self.report.judge()
        content = json.dumps(self.report.as_json(ok=ok), indent=2) + "\n"
        (self.directory.parent / "demo.json").write_text(content, encoding="utf-8")
        head("7. what there is now")
        print("\n".join(self.report.lines()), flush=True)
        print(f"\n{'ok' if ok else 'NOT OK'}: {sum(self.report.checks.values())} of {len(self.report.checks)} checks")
        return ok

    def lives(self) -> bool:
        """Tell whether the array still answers."""
        try:
            Door(self.directory / "array").counters()
        except OSError:
            return False
        return True

    def talk(self) -> None:
        """Say how to go on with the array that is left running."""
        values = {**self.player.environment, "ANSIBLE_COLLECTIONS_PATH": str(self.directory / "collections")}
        secret = self.door.endpoint["password_file"]
        print("\nThe array goes on running. To talk to it, in a shell:\n")
        for name, value in values.items():
            secret_too = name == "ETERNUS_PASSWORD"
            print(f'  export {name}="$(cat {quote(secret)})"' if secret_too else f"  export {name}={quote(value)}")
        print("  .venv/bin/ansible localhost -m eternus.backup.eternus_backup_info")
        print("  .venv/bin/ansible-playbook eternus.backup.synchronize")
        print("\nTo end it:\n")
        files, array = "roles/simulated_array/files", self.directory / "array"
        print(f"  PYTHONPATH={files} .venv/bin/python -m eternus_sim stop --directory {quote(str(array))}", flush=True)

    def _refused(self, error_class: str, playbook: str, **variables: Any) -> None:
        self.report.refusals.append(self.player.play(playbook, refused=error_class, **variables).error_class)

    def _write(self, *, count: int, length: int) -> None:
        """Write to every volume, 4 KiB at random places and one stretch."""
        self.door.write(
            {volume: self.ledger.scatter(volume, count) + self.ledger.run(volume, length) for volume in site.TVS}
        )

    def _synchronize(self, cycle: int) -> None:
        """Synchronize, and compare what the array moved with the demo's own list of writes."""
        begun = self.ledger.mark()
        self.player.play("eternus.backup.synchronize")
        runs = {(run["source_id"], run["target_id"]): run for run in self.door.counters()["runs"]}
        pairs = {(one["source_id"], one["target_id"]) for one in self.door.ask("GET", "sessions") if _mirrors(one)}
        for key in sorted(pairs, key=lambda pair: self.names[pair[0]]):
            volume, bv = (self.names[device_id] for device_id in key)
            run = runs[key]
            since = self.suspended.get(bv) if volume == "oradata" else None
            changed = None if since is None else self.ledger.changed(volume, since, begun)
            row = {
                "volume": volume,
                "cycle": cycle,
                "backup_volume": bv,
                "kind": run["kind"],
                "bytes_changed": changed,
                "bytes_moved": run["bytes_moved"],
            }
            self.report.copies.append(row)
            if changed is not None:
                self.report.resume.append(row)

    def _back_up(self, cycle: int) -> None:
        """Back up to disk and tape. A generation that waits for tape would hold its backup volume."""
        key = f"cycle-{cycle}"
        ended = self.player.play("eternus.backup.backup", backup_key=key, backup_wait_for="tape", tape_verify=False)
        for backup in ended.results["backup"]["backups"]:
            if not backup["taken"] or backup["key"] != key:
                raise Failed(f"{key} made no backup of {backup['volume']}")
            self.expected[backup["id"]] = self.ledger.sha256(backup["volume"])
            if backup["suspend"]:
                self.suspended[backup["disk"]["backup_volume"]] = self.ledger.mark()

    def _restore(self, source: str, volume: str, target: str, **variables: Any) -> None:
        ended = self.player.play("eternus.backup.restore", restore_volume=volume, restore_source=source, **variables)
        backup_id = ended.results["restore"]["restore"]["backup_id"]
        self.report.restores.append(
            {
                "volume": volume,
                "source": source,
                "sha256_expected": self.expected[backup_id],
                "sha256_actual": self.door.sha256(target),
                "target": target,
                "backup_id": backup_id,
            }
        )


def _mirrors(session: dict[str, Any]) -> bool:
    """Tell whether a session is equivalent (array.md: CopyState 4, synchronized)."""
    return int(session["copy_state"]) == 4


def head(text: str) -> None:
    """Print the head of a step."""
    print(f"\n== {text}", flush=True)


def main() -> int:
    """Run the demo and return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.umask(0o077)
    demo = Demo(Path(sys.argv[1]))
    try:
        demo.prepare()
        demo.configure()
        demo.synchronize_first()
        demo.cycles()
        demo.tape()
        demo.restore()
        demo.group()
        ok = demo.close()
    except (Failed, RuntimeError, OSError) as error:
        print(f"The demo has failed: {error}", flush=True)
        content = {
            "ok": False,
            "error": str(error)[:2000],
            "second_configure_changed": demo.report.second_configure_changed,
        }
        (demo.directory.parent / "demo.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        ok = False
    if os.environ.get("KEEP") == "1" and hasattr(demo, "door") and demo.lives():
        demo.talk()
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
