# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start a simulated array with its volumes, or stop it, in one step: the role takes ten tasks, in every target.

Usage: array.py start DIRECTORY < JSON with "config" and "volumes", as the role simulated_array takes them
       array.py stop DIRECTORY
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[5] / "roles" / "simulated_array" / "files"


def _program(*words: str, well: tuple[int, ...] = (0,)) -> str:
    env = {**os.environ, "PYTHONPATH": str(PROGRAM)}
    done = subprocess.run([sys.executable, "-m", "eternus_sim", *words], env=env, check=False, stdout=subprocess.PIPE)
    if done.returncode not in well:
        raise SystemExit(done.returncode)
    return done.stdout.decode()


def start(directory: Path, config: dict[str, object], volumes: list[dict[str, object]]) -> None:
    """Start the array of a directory, and make the volumes; each on the array that it names, else on the first."""
    directory.mkdir(mode=0o700)
    words = ["--detach", "--directory", str(directory)]
    if config:
        (directory / "wanted.json").write_text(json.dumps(config), encoding="utf-8")
        words += ["--config", str(directory / "wanted.json")]
    answer = json.loads(_program("serve", *words))
    password = Path(answer["password_file"]).read_text(encoding="utf-8").strip()
    token = base64.b64encode(f"{answer['user']}:{password}".encode()).decode()
    for one in answer["arrays"]:
        here = [volume for volume in volumes if volume.get("array", answer["arrays"][0]["model"]) == one["model"]]
        door = http.client.HTTPConnection(one["host"], one["http_port"], timeout=60)
        headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        door.request("POST", "/door/volumes", json.dumps(here).encode(), headers)
        reply = door.getresponse()
        if reply.status not in (200, 201):
            raise SystemExit(f"{one['model']}: {reply.status} {reply.read().decode()}")
        door.close()


def main() -> None:
    """Do what the words say."""
    command, directory = sys.argv[1], Path(sys.argv[2])
    if command == "start":
        start(directory, **json.load(sys.stdin))
    elif directory.is_dir():
        _program("stop", "--directory", str(directory), well=(0, 3))  # 3: nothing runs


if __name__ == "__main__":
    main()
