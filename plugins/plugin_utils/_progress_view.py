# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where progress is shown: one bar that is redrawn on a terminal, and a line now and then anywhere else."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Callable, Protocol

from ansible_collections.eternus.backup.plugins.plugin_utils._moved import Moved, Track, clock_face

LINE_PERCENT = 10
LINE_SECONDS = 30.0

#: A task runs in a forked worker whose stdout is /dev/null. The strategy imports the action plugin in the parent, where
#: stdout is still the user's.
IMPORTED_ON_TTY = sys.stdout.isatty()

# Display leaves it to the buffer when a line reaches a log file: with a task of hours, after hours. Imported in the
# parent, this has every line written when it is told; pseudo terminals (Tower's) do so anyway.
if isinstance(sys.stdout, io.TextIOWrapper):
    sys.stdout.reconfigure(line_buffering=True)


class Write(Protocol):
    """``Display.display`` of ansible-core."""

    def __call__(self, msg: str, *, newline: bool = True, screen_only: bool = False) -> None:
        """Show a text."""


def on_terminal() -> bool:
    """Tell whether ansible-playbook itself writes to a terminal that a person looks at."""
    if os.environ.get("AWX_ISOLATED_DATA_DIR") or os.environ.get("ANSIBLE_STDOUT_CALLBACK") == "awx_display":
        return False  # Tower: ansible-runner runs it under a pseudo terminal that nobody sees
    return IMPORTED_ON_TTY


class View(Protocol):
    """Shows how far a task is."""

    def show(self, moving: Sequence[Moved], track: Track, elapsed: float) -> None:
        """Show it; ``elapsed`` in seconds since the task began."""

    def close(self) -> None:
        """Leave the screen as others expect it."""


class Bar:
    """One line, redrawn."""

    def __init__(self, write: Write, label: str, columns: int) -> None:
        self._write, self._label = write, label
        self._columns = columns
        self._width = 0

    def show(self, moving: Sequence[Moved], track: Track, elapsed: float) -> None:
        """Redraw the line; with several copies, their sum has the bar."""
        if moving:
            done, total = sum(one.done for one in moving), sum(one.total for one in moving)
            percent = min(100, done * 100 // total) if total else 0
            size = 20
            filled = size * percent // 100
            names = ", ".join(one.volume for one in moving)
            whole = track.figures(moving[0]) if len(moving) == 1 else f"{percent} %"
            text = f"{names} [{'#' * filled}{'.' * (size - filled)}] {whole}"
        else:
            text = f"{self._label} {clock_face(elapsed)}"
        text = text[: max(10, self._columns - 1)]  # a line that wraps is not redrawn
        self._write(f"\r{text.ljust(self._width)}", newline=False, screen_only=True)
        self._width = len(text)

    def close(self) -> None:
        """End the line."""
        if self._width:
            self._write("", screen_only=True)


class Lines:
    """A line for each tenth of a volume, or each half minute."""

    def __init__(self, write: Write, label: str) -> None:
        self._write, self._label = write, label
        self._shown: dict[str, int] = {}
        self._at = 0.0

    def show(self, moving: Sequence[Moved], track: Track, elapsed: float) -> None:
        """Write lines when there is news."""
        late = elapsed - self._at >= LINE_SECONDS
        news = [one for one in moving if late or one.percent - self._shown.get(one.key, 0) >= LINE_PERCENT]
        for one in news:
            self._write(f"{self._label} {one.volume}: {track.figures(one)}")
            self._shown[one.key] = one.percent
        if not moving and late:
            self._write(f"{self._label} {clock_face(elapsed)}")
        if news or late:
            self._at = elapsed

    def close(self) -> None:
        """Do nothing: every line is ended."""


def view_of(write: Write, label: str, columns: int, hosts: int, terminal: Callable[[], bool] = on_terminal) -> View:
    """Return a bar on a terminal when there is one host, else lines."""
    return Bar(write, label, columns) if hosts <= 1 and terminal() else Lines(write, label)
