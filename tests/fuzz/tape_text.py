# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labels, headers and trailers, as bytes that a drive gave."""

from __future__ import annotations

import json
import random
from dataclasses import fields
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.tests.fuzz.shuffle import json_value
from ansible_collections.eternus.backup.tests.fuzz.target import PLUGINS, Target, named


class Subject(Target):
    """What is read is written and read again, the same."""

    name = "tape_text"
    guided = (f"{PLUGINS}._tape.format",)
    words = (
        "ETERNUS-BACKUP TAPE LABEL 1", "ETERNUS-BACKUP TAPE HEADER 1", "ETERNUS-BACKUP TAPE TRAILER 1", '"barcode"',
        '"uuid"', '"pool"', '"created"', '"block_size"', '"version"', '"backup_id"', '"point_in_time"',
        '"data_file"', '"data_block"', '"contents"', '"digests"', '"last"', '"keep_until"', '"volume_sha256"',
        "2026-01-05T20:10:00Z", "null", "true", "-1",
    )  # fmt: skip

    def seeds(self, place: Path) -> dict[str, bytes]:
        from ansible_collections.eternus.backup.plugins.module_utils._tape import format as form

        moment = datetime(2026, 1, 5, 20, 10, tzinfo=timezone.utc)
        header = form.Header(
            "B1",
            "k",
            "ET1",
            "oradata",
            "600000E0",
            moment,
            1,
            4096,
            1,
            "r",
            0,
            0,
            "A1",
            2,
            512,
            "snapshot",
            "2026-03-01",
        )
        entry = form.Entry(header, 4096, "ab" * 32, True, "cd" * 32, -1)
        label = form.label_bytes(form.Label("A1", "u", "weekly", moment))
        return {
            "label": label[: label.index(b"\n}") + 3],
            "header": form.header_bytes(header),
            "trailer": form.trailer_bytes(form.Trailer(entry, ("ab" * 32,), (entry, entry))),
            "empty": b"",
            "newer": b"ETERNUS-BACKUP TAPE LABEL 2\n{}",
            "tar": b"VOL1A1    ",
        }

    def prepare(self, place: Path) -> None:
        from ansible_collections.eternus.backup.plugins.module_utils._tape import format as form

        self._form = form

    def mutate(self, data: bytes, chance: random.Random) -> bytes:
        line, newline, rest = data.partition(b"\n")
        try:
            value, _end = json.JSONDecoder().raw_decode(rest.decode("ascii"))
            return line + newline + json.dumps(json_value(value, chance), indent=1).encode("ascii")
        except (ValueError, RecursionError):
            return data

    def one(self, data: bytes) -> None:
        form = self._form
        try:
            label = form.parse_label(data, "A1")
        except BackupError as error:
            named(error, ErrorClass.FOREIGN_CARTRIDGE, ErrorClass.SUSPECT_CARTRIDGE)
        else:
            assert form.parse_label(form.label_bytes(label), "A1") == label, "a label is read as it was written"
        try:
            header = form.parse_header(data, "A1")
        except BackupError as error:
            named(error, ErrorClass.SUSPECT_CARTRIDGE)
        else:
            assert form.parse_header(form.header_bytes(header), "A1") == header, "a header is read as it was written"
        try:
            trailer = form.parse_trailer(data, "A1")
        except BackupError as error:
            named(error, ErrorClass.SUSPECT_CARTRIDGE)
            return
        assert form.parse_trailer(form.trailer_bytes(trailer), "A1") == trailer, "a trailer is read as it was written"
        until = form.kept_until(trailer.contents)
        assert until is None or until.tzinfo is not None
        assert len(fields(trailer.entry.header)) >= 15
