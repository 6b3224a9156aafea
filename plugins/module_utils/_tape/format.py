# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The on-tape format: label, headers, trailers (tape.md, The format). Text, so that people can read it. No I/O.

file 0 is the LABEL; backup part k lies in files 1+3k HEADER, 2+3k DATA (the image, nothing else), 3+3k TRAILER.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from typing import Any, Optional, TypeVar

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import suspect

FORMAT_VERSION = 1
BLOCK_SIZE = 512 * 1024
LABEL_SIZE = 64 * 1024
MAGIC = "ETERNUS-BACKUP TAPE"

INSTRUCTIONS = f"""
HOW TO RESTORE FROM THIS CARTRIDGE WITHOUT THE SOFTWARE THAT WROTE IT
File 0 is this label. After it, each part of a backup takes three tape files:
  HEADER   text: what the part is, and the exact dd line that restores it
  DATA     the volume's bytes and nothing else, in blocks of {BLOCK_SIZE} bytes, the last one short
  TRAILER  text: sha256 of the part ("sha256"), of its first 1, 2, 3 ... GiB ("digests"), of the volume when the part
           is its last one, and the table of contents of the whole cartridge up to there
1. The newest table of contents is in the last file of the cartridge:
     mt -f /dev/nst0 setblk 0; mt -f /dev/nst0 eod; mt -f /dev/nst0 bsfm 2; dd if=/dev/nst0 bs=512k
   If that is no whole trailer (a writing was broken off), go further back: eod, then bsfm 3, 4 or 5.
   Or read header after header:  mt -f /dev/nst0 asf 1; dd if=/dev/nst0 bs=512k   (then asf 4, 7, 10 ...)
2. A backup is all parts of one "run": "part" 0, 1, ... to the one whose "last" is true; each names its "cartridge".
   For every one run the dd line of its header, with TARGET replaced by the volume or by a file, which must be as large
   as "size" says. "data_file" is the tape file of its DATA, "offset" where it belongs in the volume.
3. Compare: sha256sum of the target must be "volume_sha256" of the trailer whose "last" is true.
In a library that is a directory the tape files are plain files named 00000, 00001, ...: use dd, or cp and cat.
"""


@dataclass(frozen=True)
class Label:
    """Who a cartridge is. ``created`` is UTC."""

    barcode: str
    uuid: str
    pool: str
    created: datetime
    block_size: int = BLOCK_SIZE
    version: int = FORMAT_VERSION


@dataclass(frozen=True)
class Header:
    """What a part is. Bytes; ``offset`` in the volume; ``run`` joins the parts of one writing.

    ``method``: how the backup was taken. ``keep_until``: the day (UTC) before which its policy keeps it on tape; both
    empty where they are not known.
    """

    backup_id: str
    key: str
    array: str
    volume: str
    device_id: str
    point_in_time: datetime
    generation: int
    size: int
    copy: int
    run: str
    part: int
    offset: int
    cartridge: str
    data_file: int
    block_size: int = BLOCK_SIZE
    method: str = ""
    keep_until: str = ""

    @property
    def dd(self) -> str:
        """Return the exact line that restores this part from a drive."""
        return f"mt -f /dev/nst0 asf {self.data_file}; {self._dd('/dev/nst0')}"

    @property
    def dd_file(self) -> str:
        """Return the exact line that restores this part where the cartridge is a directory."""
        return self._dd(f"{self.data_file:05d}")

    def _dd(self, source: str) -> str:
        size = f"{self.block_size // 1024}k"
        return f"dd if={source} bs={size} of=TARGET seek={self.offset} oflag=seek_bytes conv=notrunc"


@dataclass(frozen=True)
class Entry:
    """A finished part as the contents list it. ``volume_sha256`` only when ``last``.

    ``data_block``: where DATA begins, as MTIOCPOS tells; -1 where the drive cannot tell.
    """

    header: Header
    bytes: int
    sha256: str
    last: bool
    volume_sha256: str
    data_block: int


@dataclass(frozen=True)
class Trailer:
    """What closes a part: its entry, its running digests, and the contents of the cartridge, this part too.

    ``digests``: sha256 of the part's first GiB, of its first two, and so on, and of all of it: they tell in which GiB
    the first damage lies.
    """

    entry: Entry
    digests: tuple[str, ...]
    contents: tuple[Entry, ...]


Flat = TypeVar("Flat", Label, Header)
_OPTIONAL = ("method", "keep_until")


def _time(value: datetime) -> str:
    return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def _dump(kind: str, value: Mapping[str, Any], rest: str) -> str:
    return f"{MAGIC} {kind} {FORMAT_VERSION}\n{json.dumps(value, indent=1, ensure_ascii=True)}\n{rest}"


def _flat(value: Any) -> dict[str, Any]:
    return {key: _time(item) if isinstance(item, datetime) else item for key, item in asdict(value).items()}


def label_bytes(label: Label) -> bytes:
    """Return the label as one block of 64 KiB."""
    text = _dump("LABEL", _flat(label), INSTRUCTIONS).encode("ascii")
    return text + b"\n" * (LABEL_SIZE - len(text))


def header_bytes(header: Header) -> bytes:
    """Return the header as one block."""
    value = {**_flat(header), "dd": header.dd, "dd_file": header.dd_file}
    return _dump("HEADER", value, f"\nTo restore this part:\n{header.dd}\n").encode("ascii")


def _entry(entry: Entry) -> dict[str, Any]:
    own = {field.name: getattr(entry, field.name) for field in fields(entry) if field.name != "header"}
    return {**_flat(entry.header), **own}


def trailer_bytes(trailer: Trailer) -> bytes:
    """Return the trailer; it may take more than one block."""
    value = {
        **_entry(trailer.entry),
        "digests": list(trailer.digests),
        "contents": [_entry(entry) for entry in trailer.contents],
    }
    return _dump("TRAILER", value, "").encode("ascii")


def _text(data: bytes, kind: str) -> dict[str, Any]:
    """Return the object behind the magic line; ValueError when there is none."""
    line, _newline, rest = data.partition(b"\n")
    if line != f"{MAGIC} {kind} {FORMAT_VERSION}".encode("ascii"):
        raise ValueError(f"no {kind.lower()} of version {FORMAT_VERSION}")
    try:
        value, _end = json.JSONDecoder().raw_decode(rest.decode("ascii"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value


def _parse(cls: type[Flat], value: Mapping[str, Any]) -> Flat:
    """Make a flat value out of JSON; every field must be of its type, and be there unless it can be done without."""
    wanted = [field for field in fields(cls) if field.name in value or field.name not in _OPTIONAL]
    return cls(**{field.name: _field(value, field.name, str(field.type)) for field in wanted})


def _field(value: Mapping[str, Any], name: str, kind: str) -> Any:
    item = value.get(name)
    wanted: type = {"int": int, "bool": bool}.get(kind, str)
    flag = isinstance(item, bool)  # which Python takes for a number
    least = -1 if name == "data_block" else 0  # some drives cannot tell
    if not isinstance(item, wanted) or flag != (wanted is bool) or (isinstance(item, int) and item < least):
        raise ValueError(f"{name} is missing or wrong")
    return _utc(name, str(item)) if kind == "datetime" else item


def _utc(name: str, text: str) -> datetime:
    """Return a time in UTC; OverflowError for one at the edge of the calendar, which has none there."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"{name} has no zone")
    return moment.astimezone(timezone.utc)


def _parse_entry(value: Any) -> Entry:
    if not isinstance(value, dict):
        raise ValueError("an entry is no object")
    own = {field.name: _field(value, field.name, str(field.type)) for field in fields(Entry) if field.name != "header"}
    return Entry(header=_parse(Header, value), **own)


def kept_until(entries: Iterable[Entry]) -> Optional[datetime]:
    """Return the latest day (UTC) until which any of these parts is kept; None where none tells one."""
    return max(filter(None, (_moment(entry.header.keep_until) for entry in entries)), default=None)


def _moment(text: str) -> Optional[datetime]:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def foreign(barcode: str, why: str) -> BackupError:
    """Return the error for a cartridge that is not ours."""
    return BackupError(
        ErrorClass.FOREIGN_CARTRIDGE,
        f"Cartridge {barcode} is foreign: {why}.",
        next_step="Leave it alone, or label it with force, which destroys what is on it.",
        barcode=barcode,
    )


def parse_label(data: bytes, barcode: str) -> Label:
    """Parse file 0. ``foreign_cartridge``: no magic, or another barcode; ``suspect_cartridge``: ours, damaged."""
    if not data.startswith(f"{MAGIC} LABEL ".encode("ascii")):
        raise foreign(barcode, "its first file bears no label of ours")
    try:
        label = _parse(Label, _text(data, "LABEL"))
    except (ValueError, OverflowError) as error:
        raise suspect(barcode, f"its label is damaged or of a newer version ({error})") from error
    if label.barcode != barcode:
        raise foreign(barcode, f"its label says {label.barcode}")
    return label


def parse_header(data: bytes, barcode: str) -> Header:
    """Parse a header; ``suspect_cartridge`` when it is none."""
    try:
        return _parse(Header, _text(data, "HEADER"))
    except (ValueError, OverflowError) as error:
        raise suspect(barcode, f"a header is damaged ({error})") from error


def parse_trailer(data: bytes, barcode: str) -> Trailer:
    """Parse a trailer; ``suspect_cartridge`` when it is none."""
    try:
        value = _text(data, "TRAILER")
        digests, contents = value.get("digests"), value.get("contents")
        if not isinstance(contents, list) or not isinstance(digests, list):
            raise ValueError("no table of contents")
        if not all(isinstance(digest, str) for digest in digests):
            raise ValueError("a digest is no text")
        return Trailer(_parse_entry(value), tuple(digests), tuple(_parse_entry(entry) for entry in contents))
    except (ValueError, OverflowError) as error:
        raise suspect(barcode, f"a trailer is damaged ({error})") from error
