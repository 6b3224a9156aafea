# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copy what git knows, and build the collection's archive from the copy.

``ansible-galaxy collection build`` packs whatever lies about, and ansible-test wants a real directory of the
collection's name outside the repository: both get a copy of the files that are tracked or could be.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner import BIN, BUILD, COLLECTION, ROOT, Finished, environment, run


@contextmanager
def staged() -> Iterator[Path]:
    """Yield a temporary copy of the collection, below ansible_collections/eternus/backup."""
    with tempfile.TemporaryDirectory(prefix="eternus-stage-") as top:
        target = Path(top).resolve() / COLLECTION
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for name in sorted(set(listed.split("\0"))):
            source = ROOT / name
            if name and (source.is_file() or source.is_symlink()):  # a file may be deleted and not yet committed
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target / name, follow_symlinks=False)
        yield target


def build() -> Finished:
    """Build build/eternus-backup-VERSION.tar.gz; older archives of the same name are replaced."""
    BUILD.mkdir(exist_ok=True)
    with staged() as tree:
        argv = [str(BIN / "ansible-galaxy"), "collection", "build", "--force", "--output-path", str(BUILD), str(tree)]
        return run("build", argv, environment())


if __name__ == "__main__":
    finished = build()
    sys.stdout.write(finished.output)
    sys.exit(finished.code)
