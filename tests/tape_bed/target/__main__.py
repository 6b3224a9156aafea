# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""python3 -m target FOLDER [--port N] [--tapes N] [--capacity BYTES]: serve a tape library on loopback until killed."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

from .library import Library
from .session import Session


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(prog="target")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=3260)
    parser.add_argument("--tapes", type=int, default=6)
    parser.add_argument("--capacity", type=int, default=64 << 20)
    parser.add_argument("--name", default="iqn.2026-01.test:library")
    wish = parser.parse_args()
    library = Library(wish.folder, tapes=wish.tapes, capacity=wish.capacity)
    with socket.create_server(("127.0.0.1", wish.port)) as server:
        print("ready", flush=True)
        while True:
            connection, _peer = server.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
            Session(connection, library, wish.name).start()


if __name__ == "__main__":
    main()
