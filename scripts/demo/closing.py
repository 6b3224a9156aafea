# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of the demo: what was checked, the table, build/demo.json."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import declared as site

EXTENT = 64 << 10
MIB = 1 << 20


@dataclass
class Report:
    """Everything that the demo found; ``checks`` says of each rule whether it held."""

    second_configure_changed: int = -1
    resume: list[dict[str, Any]] = field(default_factory=list)
    copies: list[dict[str, Any]] = field(default_factory=list)
    restores: list[dict[str, str]] = field(default_factory=list)
    groups: list[list[dict[str, Any]]] = field(default_factory=list)
    back_to: dict[str, str] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    checks: dict[str, bool] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)

    def judge(self) -> bool:
        """Hold what was found to the rules; return whether all of them held."""
        volumes = {one["volume"]: one for one in self.shown["backups"]["volumes"]}
        pool = self.shown["backups"]["pool"]
        for name, wanted in site.GENERATIONS.items():
            found = [backup["generation"] for backup in volumes[name]["backups"] if backup["generation"]]
            self.checks[f"{name} has {wanted} generations on disk"] = found == list(range(1, wanted + 1))
            keys = [backup["key"] for backup in volumes[name]["backups"] if backup["generation"]]
            newest = [f"cycle-{cycle}" for cycle in range(site.CYCLES, site.CYCLES - wanted, -1)]
            self.checks[f"{name} kept the newest"] = keys == newest
        for label, names in (("64 MiB", site.SMALL_BVS), ("96 MiB", site.LARGE_BVS)):
            free = [bv["name"] for bv in pool if bv["name"] in names and bv["use"] == "Backup (free)"]
            self.checks[f"two backup volumes of {label} are free again"] = len(free) == 2
        for name in site.TVS:
            disk = [backup for backup in volumes[name]["backups"] if backup["generation"]]
            written = [
                one for backup in disk for one in backup["tape"] if one["state"] == "written" and one["verified_ok"]
            ]
            wanted = len(disk) if name in site.ON_TAPE else 0
            self.checks[f"{name}: {wanted} generations on tape, verified"] = len(written) == wanted
        cycles = [one["cycle"] for one in self.copies if one["volume"] == "oradata" and one["kind"] == "full"]
        self.checks["oradata was copied whole three times, then resumed"] = cycles == [1, 2, 3]
        self.checks["oradata resumed in cycles four and five"] = [one["cycle"] for one in self.resume] == [4, 5]
        for one in self.resume:
            within = one["bytes_moved"] <= 1.05 * one["bytes_changed"] + EXTENT
            self.checks[f"cycle {one['cycle']} moved what had changed"] = within and one["bytes_changed"] > 0
        for one in self.restores:
            same = one["sha256_actual"] == one["sha256_expected"]
            self.checks[f"{one['volume']} restored from {one['source']} is what was written"] = same
        for number, members in enumerate(self.groups, 1):
            whole = len({(one["group_id"], one["point_in_time"]) for one in members}) == 1
            told = all(one["consistent"] and one["group_id"] for one in members) and len(members) == len(site.GROUP)
            self.checks[f"group backup {number}: one id, one point in time, one instant"] = whole and told
        first = [one["id"] for one in self.groups[0]] if self.groups else []
        self.checks["a restore to a point in time took the backup of then"] = self.back_to.get("backup_id") in first
        policies = {one["volume"]: one for one in self.shown["backups"]["policies"]}
        for name in site.GROUP:
            self.checks[f"the restore test of {name} found equal checksums"] = policies[name]["last_test_ok"] is True
        self.checks["the second configure changed nothing"] = self.second_configure_changed == 0
        return all(self.checks.values())

    def as_json(self, *, ok: bool) -> dict[str, Any]:
        """Return the content of build/demo.json."""
        volumes = {one["volume"]: one for one in self.shown["backups"]["volumes"]}
        return {
            "ok": ok,
            "volumes": {name: {"size": size, **_history(volumes[name])} for name, size in site.TVS.items()},
            "restores": self.restores,
            "groups": self.groups,
            "resume": self.resume,
            "second_configure_changed": self.second_configure_changed,
            "checks": self.checks,
            "refusals": self.refusals,
            "copies": self.copies,
            "pool": {one["name"]: {"use": one["use"], "doing": one["doing"]} for one in self.shown["backups"]["pool"]},
            "round_trips": {"total": sum(self.requests.values()), "by_operation": self.requests},
            "bytes": self.bytes,
        }

    def lines(self) -> Iterable[str]:
        """Return the closing table, line by line."""
        rows = [("volume", "gen", "backup", "time (UTC)", "BV", "disk", "tape", "cartridges")]
        for one in self.shown["backups"]["volumes"]:
            rows += [_row(backup) for backup in one["backups"]]
        yield from table(rows)
        yield ""
        yield from table([("BV", "use", "doing"), *((b["name"], b["use"], b["doing"]) for b in _pool(self.shown))])
        yield ""
        yield from table(
            [("copy", "cycle", "onto", "kind", "changed (MiB)", "moved (MiB)"), *(_copy(one) for one in self.copies)]
        )
        yield ""
        for one in self.restores:
            same = "equal" if one["sha256_actual"] == one["sha256_expected"] else "DIFFERENT"
            digest = one["sha256_actual"][:16]
            yield f"restored  {one['volume']} from {one['source']} onto {one['target']}: {same}, sha256 {digest}..."
        for members in self.groups:
            names, at = ", ".join(one["volume"] for one in members), members[0]["point_in_time"][:19]
            yield f"group     {names} at {at.replace('T', ' ')}, group id {members[0]['group_id']}"
        for one in self.shown["backups"]["policies"]:
            if one["last_test"]:
                yield f"tested    {one['volume']}: {'equal' if one['last_test_ok'] else 'DIFFERENT'}"
        yield f"refused   {', '.join(self.refusals)}"
        moved, mirrored = _mib(self.bytes.get("copy_written", 0)), _mib(self.bytes.get("mirrored", 0))
        yield f"array     {sum(self.requests.values())} round trips, {moved} MiB copied, {mirrored} MiB mirrored"
        for name, held in self.checks.items():
            if not held:
                yield f"NOT SO    {name}"


def table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Return rows as aligned lines; the first is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip()
        if number == 0:
            yield "  ".join("-" * width for width in widths)


def _pool(shown: dict[str, Any]) -> list[dict[str, Any]]:
    return list(shown["backups"]["pool"])


def _mib(number: int | None) -> str:
    return "-" if number is None else f"{number / MIB:.2f}"


def _copy(one: dict[str, Any]) -> tuple[str, ...]:
    moved, changed = _mib(one["bytes_moved"]), _mib(one["bytes_changed"])
    return (one["volume"], str(one["cycle"]), one["backup_volume"], one["kind"], changed, moved)


def _row(backup: dict[str, Any]) -> tuple[str, ...]:
    disk = backup["disk"] or {"backup_volume": "-", "state": "-"}
    cartridges = [barcode for copy in backup["tape"] for barcode in copy["cartridges"]]
    proven = any(copy["verified_ok"] for copy in backup["tape"])
    return (
        backup["volume"],
        str(backup["generation"] or "-"),
        backup["id"],
        backup["point_in_time"][:19].replace("T", " "),
        disk["backup_volume"],
        disk["state"],
        backup["tape_state"] + (", verified" if proven else ""),
        " ".join(cartridges) or "-",
    )


def _history(volume: dict[str, Any]) -> dict[str, Any]:
    return {
        "generations": [backup for backup in volume["backups"] if backup["generation"]],
        "tape_only": [backup for backup in volume["backups"] if not backup["generation"]],
        "suspended": volume["suspended"],
    }
