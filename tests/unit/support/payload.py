# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible ships with a module, by AnsiballZ's own rule: every module_utils file that an import names.

Imports inside functions and below ``if TYPE_CHECKING`` count like any other. The files travel deflated, in one archive.
"""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
MODULES = ROOT / "plugins" / "modules"
UTILS = ROOT / "plugins" / "module_utils"

_PREFIX = "ansible_collections.eternus.backup.plugins.module_utils."


def reachable(file: Path) -> frozenset[Path]:
    """Return the module_utils files that a file needs, directly or through others."""
    found: set[Path] = set()
    waiting = [file]
    while waiting:
        for needed in _imported(waiting.pop()):
            if needed not in found:
                found.add(needed)
                waiting.append(needed)
    return frozenset(found)


def source_bytes(file: Path) -> int:
    """Return the bytes of our source that go with a module, the module itself included."""
    return sum(one.stat().st_size for one in {file, *reachable(file)})


def shipped_bytes(file: Path) -> int:
    """Return the bytes of our code in the archive that is sent: each file deflated, as Ansible does by default."""
    with zipfile.ZipFile(io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as packed:
        for one in sorted({file, *reachable(file)}):
            packed.write(one, one.relative_to(ROOT).as_posix())
        return sum(one.compress_size for one in packed.infolist())


def _imported(file: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            path = (UTILS / name[len(_PREFIX) :].replace(".", "/")).with_suffix(".py")
            if name.startswith(_PREFIX) and path.is_file():
                yield path
