# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stand-in for get-pip.py where only PyPI can be reached: ansible-test runs it to put pip into its sanity venvs."""

from __future__ import annotations

import shutil
import subprocess
import sys

wanted = [arg for arg in sys.argv[1:] if not arg.startswith("-")]
uv = shutil.which("uv")
if uv and wanted:
    subprocess.check_call([uv, "pip", "install", "--quiet", "--system-certs", "--python", sys.executable, *wanted])
else:
    # In a process of its own: ensurepip points PIP_CONFIG_FILE at /dev/null in the one that calls it.
    subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
    if wanted:
        subprocess.check_call(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
        )
