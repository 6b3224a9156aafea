# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m eternus_sim serve|stop|status --directory D``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Optional

from . import process


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="eternus_sim", description="A simulated ETERNUS array over CIM-XML.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve the arrays of a directory until stopped")
    serve.add_argument("--config", type=Path, help="JSON: one array's settings, or {arrays: [...]}; kept")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--http-port", type=int, default=0, help="0: any free port; -1: no http")
    serve.add_argument("--https-port", type=int, default=0, help="0: any free port; -1: no https")
    serve.add_argument("--user", default="software", help="who may log in (default: %(default)s)")
    serve.add_argument("--password-file", type=Path, help="default: DIRECTORY/password, made where it lacks")
    serve.add_argument("--tls-directory", type=Path, help="default: DIRECTORY/tls, made where it lacks")
    serve.add_argument("--detach", action="store_true", help="return as soon as the server answers")
    stop = commands.add_parser("stop", help="stop the server of a directory")
    status = commands.add_parser("status", help="print endpoints.json; 3 when nothing runs")
    for command in (serve, stop, status):
        command.add_argument("--directory", type=Path, required=True, help="where everything is kept")
    return parser


def main(argv: Optional[list[str]] = None) -> int:
    """Returns 0, 1 for a failure that stderr tells, 3 when nothing runs (status)."""
    options = _parser().parse_args(argv)
    directory: Path = options.directory.resolve()
    try:
        if options.command == "stop":
            return 0 if process.stop(directory) else 3
        if options.command == "status":
            found = process.status(directory)
            print(json.dumps(found, indent=2) if found else "stopped")
            return 0 if found else 3
        settings = process.Settings(
            directory,
            options.host,
            options.http_port,
            options.https_port,
            options.user,
            (options.password_file or directory / "password").resolve(),
            (options.tls_directory or directory / "tls").resolve(),
            options.config and options.config.resolve(),
        )
        if options.detach:
            print(json.dumps(process.detach(settings), indent=2))
        else:
            process.serve(settings)
    except (process.Failed, OSError, ValueError) as error:
        print(f"eternus_sim: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
