# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Telling the target what to do to its media: JSON lines over a unix socket, and a command for it.

python -m ansible_collections.eternus.backup.tests.tape_bed.control SOCKET offline drive=drive1
python -m ansible_collections.eternus.backup.tests.tape_bed.control SOCKET fault command=write sense=[3,12,0] skip=5
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from typing import Any

from ansible_collections.eternus.backup.tests.tape_bed.library import Library

#: What may be asked for; the methods of :class:`Library` of these names.
COMMANDS = (
    "fault", "heal", "insert", "offline", "online", "protect", "pull", "reset", "status", "swap", "unlabel",
)  # fmt: skip


def tell(path: str, order: str, /, **options: Any) -> Any:
    """Ask the target for something; return its answer. RuntimeError says why not."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(json.dumps([order, options]).encode() + b"\n")
        answer = json.loads(connection.makefile("rb").readline())
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer["result"]


def _answer(library: Library, line: bytes) -> dict[str, Any]:
    try:
        order, options = json.loads(line)
        if order not in COMMANDS:
            raise ValueError(f"no command {order}; there are {', '.join(COMMANDS)}")
        with library.lock:
            return {"result": getattr(library, order)(**options)}
    except (ValueError, TypeError, KeyError, OSError, StopIteration) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def serve(library: Library, path: str) -> None:
    """Answer in a thread of its own."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()

    def answer() -> None:
        while True:
            connection, _address = listening.accept()
            with connection:
                line = connection.makefile("rb").readline()
                connection.sendall(json.dumps(_answer(library, line)).encode() + b"\n")

    threading.Thread(target=answer, daemon=True).start()


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def main(words: list[str]) -> int:
    """Run what the command line says: a socket, a command, and options as NAME=VALUE."""
    if len(words) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    options = {name: _value(value) for name, _equals, value in (word.partition("=") for word in words[2:])}
    try:
        print(json.dumps(tell(words[0], words[1], **options), indent=1))
    except (RuntimeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
