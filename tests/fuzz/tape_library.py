# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A library in a directory whose files are anything: its own JSON, and the tape files of one cartridge."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.tests.fuzz.shuffle import json_value
from ansible_collections.eternus.backup.tests.fuzz.target import PLUGINS, Target, named

#: Stands between the files of an input: library.json, drive0, cartridge.json, then tape files.
BREAK = b"\n%%%%\n"
_MOST = 14
_TAPE = (ErrorClass.FOREIGN_CARTRIDGE, ErrorClass.SUSPECT_CARTRIDGE, ErrorClass.TAPE_UNAVAILABLE)


class Subject(Target):
    """Whatever lies there: it is listed, scanned, its table of contents is read, its parts are read, it is labelled."""

    name = "tape_library"
    guided = (f"{PLUGINS}._tape", f"{PLUGINS}._backup.tape_scan", f"{PLUGINS}._backup.drift_scan")
    words = (
        '"drives"', '"barcode"', '"capacity"', '"early_warning"', '"block_size"', '"files"', '"write_protected"',
        '"A1"', "ETERNUS-BACKUP TAPE LABEL 1", "ETERNUS-BACKUP TAPE HEADER 1", "ETERNUS-BACKUP TAPE TRAILER 1",
        "\\x0a%%%%\\x0a", '"data_file"', '"contents"', '"last"', '"size"', '"offset"', '"bytes"',
    )  # fmt: skip

    def seeds(self, place: Path) -> dict[str, bytes]:
        from ansible_collections.eternus.backup.tests.unit.support.tape_bed import SOURCE, Bed, noise

        found = {}
        for name, backups, size in (("one", 1, 4096), ("two", 2, 1024), ("three", 3, 512), ("none", 0, 512)):
            here = place / name
            here.mkdir()
            bed = Bed(here, threads=False)
            bed.volume(SOURCE, noise(size))
            bed.cartridges("A1", capacity=1 << 20)
            for number in range(backups):
                bed.write(size, "A1", backup_id=f"B{number}")
            library = here / "library"
            parts = [(library / "library.json").read_bytes(), b"", (library / "A1" / "cartridge.json").read_bytes()]
            for file in sorted((library / "A1").glob("0*")):
                data = file.read_bytes()
                parts.append(data[:1024] if file.name == "00000" else data)
            found[name] = BREAK.join(parts)
            found[f"{name}-cut"] = BREAK.join(parts[:-1])
        return found

    def prepare(self, place: Path) -> None:
        from ansible_collections.eternus.backup.plugins.module_utils._backup import drift_scan, tape_scan
        from ansible_collections.eternus.backup.plugins.module_utils._tape import cartridge, reader
        from ansible_collections.eternus.backup.plugins.module_utils._tape import format as form
        from ansible_collections.eternus.backup.plugins.module_utils._tape.stream import StreamOptions
        from ansible_collections.eternus.backup.plugins.module_utils._tape.virtual import VirtualLibrary

        self._place = place / "library"
        self._library = VirtualLibrary(str(self._place))
        self._tools = (cartridge, form, reader, tape_scan, drift_scan)
        self._options = StreamOptions(threads=False)

    def mutate(self, data: bytes, chance: random.Random) -> bytes:
        parts = data.split(BREAK)
        place = chance.randrange(len(parts))
        magic, newline, rest = b"", b"", parts[place]
        if rest.startswith(b"ETERNUS"):
            magic, newline, rest = rest.partition(b"\n")
        try:
            value, _end = json.JSONDecoder().raw_decode(rest.decode("ascii"))
            parts[place] = magic + newline + json.dumps(json_value(value, chance)).encode("ascii")
        except (ValueError, RecursionError):
            what = chance.randrange(4)
            if what == 0:
                del parts[place]
            elif what == 1:
                parts.insert(place, chance.choice(parts))
            elif what == 2:
                parts[place] = parts[place][: chance.randrange(len(parts[place]) + 1)]
            else:
                parts[place] = chance.choice(parts)
        return BREAK.join(parts)

    def _lay(self, data: bytes) -> None:
        shutil.rmtree(self._place, ignore_errors=True)
        cartridge = self._place / "A1"
        cartridge.mkdir(parents=True)
        parts = (data.split(BREAK) + [b"", b"", b""])[: _MOST + 3]
        names = ["library.json", "drive0", "A1/cartridge.json", *(f"A1/{number:05d}" for number in range(_MOST))]
        for name, part in zip(names, parts):
            (self._place / name).write_bytes(part)

    def one(self, data: bytes) -> None:
        cartridge, form, reader, tape_scan, drift_scan = self._tools
        self._lay(data)
        try:
            inventory = self._library.inventory()
        except BackupError as error:
            named(error, ErrorClass.TAPE_UNAVAILABLE)
            return
        json.dumps([[slot.barcode, slot.capacity, slot.written] for slot in inventory.slots])
        rows = []
        for headers in (False, True):
            try:
                told = tape_scan.scan_tapes(self._library, [], "fuzz", headers=headers)
            except BackupError as error:
                named(error, *_TAPE, ErrorClass.BUSY)
                continue
            json.dumps(told.values)
            rows = told.values["cartridges"]
            drift_scan.joined(drift_scan.parse_scan(rows))
        try:
            with self._library.load("A1", "fuzz") as drive:
                found = cartridge.read_contents(drive)
            self._read(found, reader)
            with self._library.load("A1", "fuzz") as drive:
                cartridge.write_label(drive, form.Label("A1", "new", "weekly", form.datetime.now(form.timezone.utc)))
                again = cartridge.read_contents(drive)
                assert isinstance(again, cartridge.Contents) and again.label.uuid == "new" and not again.entries, again
        except BackupError as error:
            named(error, *_TAPE, ErrorClass.BUSY)

    def _read(self, found: object, reader: object) -> None:
        for entry in getattr(found, "entries", ())[:3]:
            head = entry.header
            part = reader.PartToRead(
                "A1", found.label.uuid, head.backup_id, head.data_file, 0, entry.bytes, entry.sha256, entry.data_block
            )
            try:
                reader.read_image(
                    [part], lambda code: self._library.load(code, "fuzz"), None, lambda done: None, self._options
                )
            except BackupError as error:
                named(error, *_TAPE, ErrorClass.CHECKSUM_MISMATCH, ErrorClass.BUSY)
