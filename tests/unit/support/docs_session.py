# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shell sessions of docs/tape.md, as they stand."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = Path(__file__).resolve().parents[3] / "docs" / "tape.md"


def session(name: str) -> str:
    """Return the blocks that a comment ``<!-- session: NAME -->`` marks, one after the other."""
    blocks = re.findall(rf"<!-- session: {name} -->\n```sh\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
    if not blocks:
        raise LookupError(f"{_PAGE.name} has no session {name}")
    return "".join(blocks)
