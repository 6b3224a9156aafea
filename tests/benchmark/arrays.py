# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulated arrays for benchmarks: each a process of its own, so that they share no interpreter with what is timed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

from ansible_collections.eternus.backup.tests.unit.support.simulated import FILES, USER, Simulated

_BATCH = 2000


@contextmanager
def served(
    directory: Path, config: Optional[Mapping[str, Any]] = None, *, tls: Optional[Path] = None
) -> Iterator[Simulated]:
    """Serve one array from ``directory`` on free ports for the time of the block.

    :param config: the array's settings (model, name, pools, knobs), as roles/simulated_array takes them.
    :param tls: where certificates are kept; shared by several arrays, since they take time to make.
    """
    directory.mkdir(parents=True, exist_ok=True)
    settings = directory / "settings.json"
    settings.write_text(json.dumps(config or {}), encoding="utf-8")
    command = [sys.executable, "-m", "eternus_sim"]
    place = ["--directory", str(directory)]
    certificates = ["--tls-directory", str(tls)] if tls else []
    serve = [*command, "serve", *place, "--config", str(settings), *certificates, "--detach"]
    environment = {"PYTHONPATH": str(FILES), "PATH": "/usr/bin:/bin"}
    subprocess.run(serve, env=environment, check=True, stdout=subprocess.DEVNULL)
    try:
        endpoint = json.loads((directory / "endpoints.json").read_text(encoding="utf-8"))
        password = (directory / "password").read_text(encoding="utf-8").strip()
        yield Simulated(directory, endpoint, USER, password)
    finally:
        subprocess.run([*command, "stop", *place], env=environment, check=False, stdout=subprocess.DEVNULL)


def fill(array: Simulated, names: list[str], size: int) -> None:
    """Make volumes of one size (bytes), many by a request."""
    for first in range(0, len(names), _BATCH):
        array.door("POST", "volumes", [{"name": name, "size": size} for name in names[first : first + _BATCH]])
