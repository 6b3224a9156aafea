# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make audit`` asks a registry about what is installed, tells what is known, and says plainly when nobody answers."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any, Optional

import pytest

AUDIT = Path(__file__).resolve().parents[3] / "scripts" / "audit.py"
VULNERABILITY = {
    "id": "PYSEC-2026-1",
    "aliases": ["CVE-2026-0001"],
    "fixed_in": ["99.0"],
    "summary": "It can be talked over.",
    "withdrawn": None,
}


@contextmanager
def registry(answers: dict[str, Any], status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """A registry of ours: a list of vulnerabilities by package, none for others; its URL, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            name = self.path.split("/")[2]
            body = json.dumps({"info": {}, "vulnerabilities": answers.get(name, [])}).encode()
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/pypi", asked
    finally:
        server.shutdown()
        server.server_close()


def audit(index: str, *files: Path) -> tuple[int, str]:
    env = {"AUDIT_INDEX": index, "PATH": "/usr/bin", "no_proxy": "127.0.0.1"}
    argv = [sys.executable, str(AUDIT), *map(str, files)]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    (tmp_path / "more.txt").write_text("jmespath  # a comment\n", encoding="utf-8")
    path = tmp_path / "requirements.txt"
    path.write_text("# what is needed\n-r more.txt\npywbem>=1.7\n", encoding="utf-8")
    return path


def test_everything_that_is_named_and_what_it_needs_is_asked_for_once_in_the_version_that_is_there(
    requirements: Path,
) -> None:
    with registry({}) as (index, asked):
        code, said = audit(index, requirements)
    assert code == 0, said
    assert f"/pypi/pywbem/{metadata.version('pywbem')}/json" in asked
    names = [path.split("/")[2] for path in asked]
    assert {"pywbem", "jmespath", "requests", "urllib3"} <= set(names)
    assert len(names) == len(set(names))
    assert f"0 known vulnerabilities in {len(names)} of {len(names)} packages" in said


@pytest.mark.parametrize(("withdrawn", "code"), [(None, 1), ("2026-02-01T00:00:00Z", 0)])
def test_what_is_known_is_told_and_fails_unless_it_was_withdrawn(
    requirements: Path, withdrawn: Optional[str], code: int
) -> None:
    with registry({"urllib3": [{**VULNERABILITY, "withdrawn": withdrawn}]}) as (index, _asked):
        found, said = audit(index, requirements)
    assert found == code, said
    line = f"urllib3 {metadata.version('urllib3')}: PYSEC-2026-1 CVE-2026-0001: mended in 99.0. It can be talked over."
    assert (line in said) is (code == 1)


def test_a_registry_that_does_not_answer_is_said_plainly_and_is_not_asked_for_ever(requirements: Path) -> None:
    with registry({}, status=503) as (index, asked):
        code, said = audit(index, requirements)
    assert (code, len(asked)) == (3, 3)
    assert f"The registry {index} did not answer as it should" in said
    assert "HTTP status 503" in said
    code, said = audit("http://127.0.0.1:1/pypi", requirements)
    assert code == 3
    assert "Connection refused" in said


def test_what_is_not_installed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("no-such-package-anywhere\n", encoding="utf-8")
    code, said = audit("http://127.0.0.1:1/pypi", path)
    assert code == 1
    assert "no-such-package-anywhere is not installed" in said
