# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exports of a catalog that are damaged, forged or strange: what is taken is taken whole, and exported again alike."""

from __future__ import annotations

import hashlib
import json
import random
import zlib
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.tests.fuzz.shuffle import json_value
from ansible_collections.eternus.backup.tests.fuzz.target import PLUGINS, Target, named

NOW = datetime(2026, 3, 29, 1, 59, 59, 123456, tzinfo=timezone.utc)
_REFUSED = (ErrorClass.INVALID_OPTION, ErrorClass.CATALOG_SCHEMA)


def _line(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass") + b"\n"


def sealed(data: bytes) -> bytes:
    """Return a document with a right trailer and right counts, so that what is in its rows is looked at."""
    header, *rows = [line + b"\n" for line in data.split(b"\n") if line] or [b"\n"]
    try:
        told = json.loads(header)
        counts = dict.fromkeys(told["counts"], 0)
        for row in rows:
            name = json.loads(row)["table"]
            counts[name] = counts.get(name, 0) + 1
        header = _line({**told, "counts": counts})
    except (ValueError, KeyError, TypeError, RecursionError):
        pass  # it is refused, then
    body = header + b"".join(rows)
    return body + _line({"rows": len(rows), "sha256": hashlib.sha256(body).hexdigest()})


class Subject(Target):
    """An input is an export without its last line."""

    name = "catalog_import"
    guided = (f"{PLUGINS}._backup.catalog", f"{PLUGINS}._catalog")
    words = (
        '"table"', '"row"', '"counts"', '"schema_version"', '"format_version"', '"last_token"', '"exported_at"',
        "volumes", "policies", "allocations", "backups", "disk_copies", "tape_copies", "tape_parts", "cartridges",
        "pools", "journal", "readers", "used_keys", "undefined_targets", "restore_tests", "arrays", '"ref_device"',
        '"payload"', "null",
    )  # fmt: skip

    def seeds(self, place: Path) -> dict[str, bytes]:
        from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Volume, VolumeRef
        from ansible_collections.eternus.backup.plugins.module_utils._backup.catalog_export import export_catalog
        from ansible_collections.eternus.backup.plugins.module_utils._catalog import model
        from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
        from ansible_collections.eternus.backup.plugins.module_utils._catalog.whole import WholeRows

        def ref(number: int) -> Any:
            return VolumeRef("ET603SA4621302115", f"600000E00D2A0000002A0115{number:04X}0000")

        def volume(number: int, role: Any) -> Any:
            made = Volume(ref(number), f"vol{number}", 4096, 512, False, f"root/eternus:V.DeviceID={number}")
            return model.RegisteredVolume(made, role, NOW)

        part = model.TapePart(1, "A1", 2, 0, 9, "ab")
        tape = model.TapeCopy(1, model.TapeState.WRITTEN, "weekly", NOW, parts=(part,))
        disk = model.DiskCopy(ref(10), model.DiskState.VALID, NOW)
        method = model.Method.SYNCHRONIZED
        found = {}
        with closing(open_catalog(f"sqlite:///{place}/catalog.db")) as catalog:
            for step in range(4):
                with catalog.begin() as records:
                    if step == 1:
                        records.put_volumes(
                            [
                                volume(1, model.Role.TRANSACTION),
                                *(volume(number, model.Role.BACKUP) for number in (10, 11)),
                            ]
                        )
                        records.put_policies([model.Policy(ref(1), 2, pinned=(ref(10), ref(11)))])
                    if step == 2:
                        records.allocate([model.Allocation(ref(10), ref(1), CopyType.EC, NOW)])
                        backup = model.Backup(
                            "B1", ref(1), NOW, method, CopyType.EC, True, 4096 * 512, "k", disk=disk, tape=(tape,)
                        )
                        records.add_backups([backup])
                    if step == 3:
                        payload = {"a": [1, None, {"é": "x"}]}
                        state = model.StepState.INTENDED
                        records.intend([model.JournalEntry("e1", "o1", "take", ref(1), payload, state, NOW)])
                with catalog.read() as records:
                    file = place / f"export{step}"
                    export_catalog(WholeRows.of(records), file, NOW + timedelta(days=step))
                    found[str(step)] = b"".join(file.read_bytes().splitlines(keepends=True)[:-1])
        return found

    def prepare(self, place: Path) -> None:
        from ansible_collections.eternus.backup.plugins.module_utils._backup import catalog_entry, catalog_file
        from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog

        self._place, self._entry, self._file = place, catalog_entry, catalog_file
        self._url = f"sqlite:///{place}/catalog.db"
        with closing(open_catalog(self._url)) as catalog, catalog.begin():
            pass

    def mutate(self, data: bytes, chance: random.Random) -> bytes:
        lines = data.split(b"\n")
        place = chance.randrange(len(lines))
        what = chance.randrange(8)
        if what == 0:
            del lines[place]
        elif what == 1:
            lines.insert(place, chance.choice(lines))
        else:
            try:
                value = json_value(json.loads(lines[place]), chance)
                if what == 2 and isinstance(value, dict) and isinstance(value.get("row"), dict):
                    value["row"] = json_value(value["row"], chance)
                lines[place] = json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
            except (ValueError, RecursionError):
                pass
        return b"\n".join(lines)

    def _work(self, state: str, path: Path, **more: Any) -> Any:
        options = {"catalog_url": self._url, "path": str(path), "force": True, "trust": False, **more}
        return self._entry.WORK[state](options, check_mode=False)

    def one(self, data: bytes) -> None:
        file, again = self._place / "export", self._place / "again"
        file.write_bytes(data)
        try:
            with self._file.open_export(str(file)) as found:
                list(found.rows())
        except BackupError as error:
            named(error, *_REFUSED)
        file.write_bytes(sealed(data))
        trust = zlib.crc32(data) % 2 == 0
        try:
            done = self._work("imported", file, trust=trust)
        except BackupError as error:
            named(error, *_REFUSED)
            return
        json.dumps(done.values)
        again.unlink(missing_ok=True)
        written = self._work("exported", again)
        assert written.values["content"] == done.values["content"], "an export holds what was imported"
        assert not self._work("imported", again, trust=True).changed, "its own export leaves a catalog as it is"
        if trust:
            with self._file.open_export(str(file)) as first, self._file.open_export(str(again)) as second:
                ours, theirs = (
                    sorted(json.dumps(row[1:], sort_keys=True) for row in one.rows()) for one in (first, second)
                )
                assert first.header.schema_version != second.header.schema_version or ours == theirs, "the same rows"
