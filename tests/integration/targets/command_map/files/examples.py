# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of docs/command_map.md: make a task file of them, and compare what they did with what the page says.

``examples.py tasks PAGE DIRECTORY`` writes DIRECTORY/examples.yml; ``examples.py check PAGE DIRECTORY`` compares.

An example is a block of YAML after ``<!-- example: NAME -->``; what its last task returns is shown by the block after
``<!-- result: NAME -->``, which may leave out what it likes; ``...`` stands for any value that is not empty, and a text
with ``...`` in it for any text around. ``<!-- array: {...} -->`` turns knobs of the simulated array before the next.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Optional

import yaml

_PART = re.compile(
    r"^<!-- (?P<kind>example|result): (?P<name>[a-z0-9-]+) -->\n+```yaml\n(?P<text>.*?)^```$"
    r"|^<!-- array: (?P<knobs>[^\n]*) -->$",
    re.MULTILINE | re.DOTALL,
)
RESULTS = "results.json"
_ROW = re.compile(r"^## .*\((R8\.\d+)\)$", re.MULTILINE)


def parts(page: str) -> list[tuple[str, str, Any]]:
    """Return (kind, name, content) of everything that the page marks, in its order."""
    found = []
    for match in _PART.finditer(page):
        kind = match["kind"] or "array"
        found.append((kind, match["name"] or "", yaml.safe_load(match["text"] or match["knobs"])))
    return found


def tasks(page: str, directory: Path) -> list[dict[str, Any]]:
    """Return the tasks of all examples, and one that keeps what each one's last task returned in results.json."""
    made: list[dict[str, Any]] = []
    kept: list[str] = []
    for kind, name, content in parts(page):
        if kind == "array":
            knobs = {"name": "Turn knobs of the array", "ansible.builtin.include_tasks": "knobs.yml"}
            made.append({**knobs, "vars": {"command_map_knobs": content}})
        elif kind == "example":
            variable = content[-1].setdefault("register", "command_map_" + name.replace("-", "_"))
            made += content
            kept.append(f"{name!r}: {variable}")
    results = {"content": "{{ {" + ", ".join(kept) + "} | to_json }}", "dest": str(directory / RESULTS), "mode": "0600"}
    return [*made, {"name": "Keep what they returned", "ansible.builtin.copy": results}]


def differs(wanted: Any, got: Any, where: str) -> Optional[str]:
    """Return how a result differs from what the page shows of it, or None."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        missing = [key for key in wanted if key not in got]
        if missing:
            return f"{where}: no {', '.join(missing)}, there is {', '.join(got)}"
        return next((told for key in wanted if (told := differs(wanted[key], got[key], f"{where}.{key}"))), None)
    if isinstance(wanted, list) and isinstance(got, list):
        if len(wanted) != len(got):
            return f"{where}: {len(wanted)} are shown, and there are {len(got)}: {json.dumps(got)}"
        pairs = enumerate(zip(wanted, got))
        return next((told for i, (one, other) in pairs if (told := differs(one, other, f"{where}[{i}]"))), None)
    if wanted == "...":
        return None if got not in (None, "", [], {}) else f"{where}: is empty"
    if isinstance(wanted, str) and "..." in wanted and isinstance(got, str):
        pattern = ".*".join(re.escape(part) for part in wanted.split("..."))
        return None if re.fullmatch(pattern, got, re.DOTALL) else f"{where}: {wanted!r} is shown, it is {got!r}"
    return None if wanted == got else f"{where}: {wanted!r} is shown, it is {got!r}"


def check(page: str, directory: Path) -> list[str]:
    """Return what is wrong: a row without an example, an example without a result, a result that differs."""
    found = parts(page)
    examples = {name for kind, name, _content in found if kind == "example"}
    shown = {name: content for kind, name, content in found if kind == "result"}
    faults = [f"{name}: no result is shown" for name in sorted(examples - set(shown))]
    faults += [f"{name}: a result without an example" for name in sorted(set(shown) - examples)]
    rows = _ROW.split(page)
    for rule, text in zip(rows[1::2], rows[2::2]):
        if not any(kind == "example" for kind, _name, _content in parts(text)):
            faults.append(f"{rule}: no example")
    if rows[1::2] != [f"R8.{number}" for number in range(1, 10)]:
        faults.append(f"the page has the rows {rows[1::2]}")
    results = json.loads((directory / RESULTS).read_text(encoding="utf-8"))
    for name in sorted(examples & set(shown)):
        told = differs(shown[name], results[name], name)
        faults += [told] if told else []
    return faults


def main(what: str, page: str, directory: str) -> int:
    """Run one of the two."""
    text, place = Path(page).read_text(encoding="utf-8"), Path(directory)
    if what == "tasks":
        made = tasks(text, place)
        (place / "examples.yml").write_text(yaml.safe_dump(made, sort_keys=False), encoding="utf-8")
        return 0
    faults = check(text, place)
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
