# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Serve a tape library over iSCSI on loopback: ... -m ansible_collections.eternus.backup.tests.tape_bed DIRECTORY.

Cartridges lie in DIRECTORY/cartridges, DIRECTORY/control is the socket for control.py.
"""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

from ansible_collections.eternus.backup.tests.tape_bed import control
from ansible_collections.eternus.backup.tests.tape_bed.library import MIB, Library
from ansible_collections.eternus.backup.tests.tape_bed.session import Session

NAME = "iqn.2026-01.backup.eternus:tape-bed"


def main() -> None:
    """Serve until killed; says "ready" when an initiator may come."""
    parser = argparse.ArgumentParser(description="Serve a tape library over iSCSI.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--port", type=int, default=3260)
    parser.add_argument("--capacity", type=int, default=64, help="MiB a cartridge")
    asked = parser.parse_args()
    library = Library(asked.directory / "cartridges")
    barcodes = [f"BED{number:03d}L8" for number in range(1, 7)] + ["CLN001L1"]
    library.reset(dict.fromkeys(barcodes, asked.capacity * MIB))
    control.serve(library, str(asked.directory / "control"))
    with socket.create_server(("127.0.0.1", asked.port)) as listening:
        print("ready", flush=True)
        while True:
            connection, _address = listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MIB)
            Session(connection, library, NAME).start()


if __name__ == "__main__":
    main()
