# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds secrets in bytes: as they are, and as URLs, JSON, Python, XML, shells and base64 (Basic auth) write them."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

#: Parts of a secret that has line breaks are looked for one by one, from this many characters on.
_PART = 8
_PAGE = 4096


@dataclass(frozen=True)
class Hit:
    """Where a secret was found: the place, the secret's name, how it was written. Never the secret."""

    place: str
    secret: str
    form: str


def _inside_base64(data: bytes) -> Iterator[bytes]:
    """Yield what base64 makes of bytes wherever they begin: whole groups, without their neighbours' bits."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + data)
        first = -(-before * 4 // 3) + (1 if before else 0)
        last = (before + len(data)) // 3 * 4
        yield coded[first:last]
        yield coded[first:last].replace(b"+", b"-").replace(b"/", b"_")


def forms(secret: str) -> dict[str, set[bytes]]:
    """Return how a secret may be written, by the name of the writing."""
    as_json = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    texts = {
        "plain": {secret, *(part for part in secret.splitlines() if len(part) >= _PART)},
        "url": {quote(secret), quote(secret, safe=""), quote_plus(secret), quote(secret, safe="").lower()},
        "json": as_json,
        "json in json": {json.dumps(one)[1:-1] for one in as_json},
        "python": {repr(secret)[1:-1], ascii(secret)[1:-1], repr(repr(secret))[2:-2]},
        "xml": {escape(secret), quoteattr(secret)[1:-1]},
        "shell": {shlex.quote(secret)},
        "yaml": {secret.replace("'", "''"), secret.replace("\n", "\n\n")},
    }
    found = {name: {text.encode() for text in written if text} for name, written in texts.items()}
    found["utf-16"] = {secret.encode("utf-16-le")}
    found["base64"] = {coded for coded in _inside_base64(secret.encode()) if len(coded) >= _PART}
    found["hex"] = {secret.encode().hex().encode()}
    return found


def _dense(data: bytes) -> bytes:
    """Return bytes without the empty pages of sparse files: there are many, and many needles."""
    pages = (data[start : start + _PAGE] for start in range(0, len(data), _PAGE))
    return b"".join(page for page in pages if page.strip(b"\0")) if len(data) > _PAGE else data


class Scanner:
    """Looks for secrets, each by its name."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._needles = [
            (name, form, needle)
            for name, secret in secrets.items()
            for form, needles in forms(secret).items()
            for needle in needles
        ]
        self.files = 0
        self.bytes = 0

    def look(self, place: str, data: bytes) -> list[Hit]:
        """Return what is in some bytes, each secret and writing once."""
        self.bytes += len(data)
        return list(dict.fromkeys(Hit(place, name, form) for name, form, needle in self._needles if needle in data))

    def walk(self, *roots: Path, since: float = 0) -> list[Hit]:
        """Return what is in files, in their names and in what links say; of files, those that changed ``since``."""
        hits: list[Hit] = []
        for root in roots:
            for path in [root, *sorted(root.rglob("*"))]:
                hits += self.look(f"name of {path}", bytes(path.name, "utf-8", "surrogateescape"))
                if path.is_symlink():
                    hits += self.look(f"link {path}", bytes(path.readlink()))
                elif path.is_file() and path.stat().st_mtime >= since:
                    self.files += 1
                    hits += self.look(str(path), _dense(path.read_bytes()))
        return hits
