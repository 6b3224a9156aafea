# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scanner of the integration target ``secrets`` finds what was planted, however it was written down."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

TARGET = Path(__file__).resolve().parents[2] / "integration" / "targets" / "secrets"
SECRET = "p\u00e4ss 'w' \"d\" %41 \\n{{ x }}&<\u2028>@/:?#"


@pytest.fixture(scope="module")
def scan() -> ModuleType:
    sys.path.insert(0, str(TARGET))
    try:
        import scan

        return scan
    finally:
        sys.path.remove(str(TARGET))


WRITINGS = {
    "plain": lambda secret: secret.encode(),
    "in a JSON result": lambda secret: json.dumps({"password": secret}).encode(),
    "in JSON as UTF-8": lambda secret: json.dumps({"password": secret}, ensure_ascii=False).encode(),
    "in JSON inside JSON": lambda secret: json.dumps({"stdout": json.dumps({"password": secret})}).encode(),
    "in a repr": lambda secret: f"options: {[secret]!r}".encode(),
    "in a URL": lambda secret: f"postgresql://u:{quote(secret, safe='')}@host/db".encode(),
    "in a path": lambda secret: f"/{quote(secret)}".encode(),
    "in a form": lambda secret: quote_plus(secret).encode(),
    "in base64": lambda secret: base64.b64encode(secret.encode()),
    "as Basic auth": lambda secret: b"Authorization: Basic " + base64.b64encode(f"software:{secret}".encode()),
    "in URL-safe base64": lambda secret: base64.urlsafe_b64encode(f"x{secret}y".encode()),
    "in hex": lambda secret: secret.encode().hex().encode(),
    "as UTF-16": lambda secret: secret.encode("utf-16-le"),
}


@pytest.mark.parametrize("writing", WRITINGS)
def test_a_planted_secret_is_found_in_every_writing(scan: ModuleType, tmp_path: Path, writing: str) -> None:
    (tmp_path / "left").write_bytes(b"x" * 5000 + WRITINGS[writing](SECRET) + b"\0" * 9000)
    hits = scan.Scanner({"array": SECRET}).walk(tmp_path)
    assert {hit.secret for hit in hits} == {"array"}
    assert SECRET not in str(hits)


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=6, max_size=30), st.sampled_from(sorted(WRITINGS)))
def test_any_secret_is_found_in_every_writing(scan: ModuleType, text: str, writing: str) -> None:
    secret = f"<{text}>-0123456789"
    assert scan.Scanner({"s": secret}).look("here", b"before" + WRITINGS[writing](secret) + b"after")


def test_a_secret_is_found_in_a_database_a_name_a_link_and_over_the_border_of_a_page(
    scan: ModuleType, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "catalog.db") as connection:
        connection.execute("CREATE TABLE journal (entry TEXT)")
        connection.execute("INSERT INTO journal VALUES (?)", (json.dumps({"secret": SECRET}),))
    (tmp_path / "name-of-geheim77").touch()
    (tmp_path / "link").symlink_to("/nowhere/geheim77")
    (tmp_path / "border").write_bytes(b"x" * 4090 + b"geheim77")
    hits = scan.Scanner({"one": SECRET, "two": "geheim77"}).walk(tmp_path)
    places = {Path(hit.place.split(" ")[-1]).name for hit in hits}
    assert places == {"catalog.db", "name-of-geheim77", "link", "border"}


def test_what_is_not_there_is_not_found(scan: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "left").write_bytes(os.urandom(100_000) + b"VALUE_SPECIFIED_IN_NO_LOG_PARAMETER ********")
    scanner = scan.Scanner({"array": SECRET})
    assert scanner.walk(tmp_path) == []
    assert scanner.files == 1


def test_the_sampler_sees_a_secret_in_a_command_line_and_in_an_environment(scan: ModuleType) -> None:
    sys.path.insert(0, str(TARGET))
    try:
        from sampler import Sampler
    finally:
        sys.path.remove(str(TARGET))
    scanner = scan.Scanner({"in a word": "geheim-77-word", "in a variable": "geheim-78-variable", "given": "geheim-79"})
    sampler = Sampler(scanner, given=("given",))
    env = {**os.environ, "ODD": "geheim-78-variable", "ETERNUS_PASSWORD": "geheim-79"}
    with sampler.looking():
        subprocess.run([sys.executable, "-c", "import time; time.sleep(0.4)", "geheim-77-word"], env=env, check=True)
    assert {hit.secret for hit in sampler.hits} == {"in a word", "in a variable"}
