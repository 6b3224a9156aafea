# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tape of a given speed, simulated by pacing: it takes what comes through a pipe, no faster than a drive would.

python sink.py FIFO RATE BUFFER: reads the pipe to its end. RATE in bytes per second (0: as fast as it comes), BUFFER in
bytes as a drive's: so much is taken at once. It ends when the last byte would be on tape.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

PIECE = 1 << 20


def drain(
    source: int,
    nowhere: int,
    rate: int,
    buffer: int,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Take everything, at that rate; return the bytes. What a tape has to wait for is lost: it does not catch up."""
    taken, written = 0, 0.0  # written: when the last byte so far will be on tape
    while True:
        got = os.splice(source, nowhere, PIECE)  # no copy: it costs the writer nothing
        if not got:
            break
        taken += got
        if rate:
            now = clock()
            written = max(written, now) + got / rate
            ahead = written - buffer / rate - now
            if ahead > 0:
                sleep(ahead)
    if rate and taken:
        sleep(max(0.0, written - clock()))
    return taken


def main() -> None:
    """Take what comes."""
    path, rate, buffer = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    source, nowhere = os.open(path, os.O_RDONLY), os.open("/dev/null", os.O_WRONLY)
    print(drain(source, nowhere, rate, buffer))


if __name__ == "__main__":
    main()
