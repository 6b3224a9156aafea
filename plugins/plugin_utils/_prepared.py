# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules need, imported once by ansible-playbook itself: its workers, and what they fork, inherit it."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Callable, Optional

from ansible.module_utils.parsing.convert_bool import boolean

_PLUGINS = "ansible_collections.eternus.backup.plugins"
_OURS = (f"{_PLUGINS}.module_utils.", f"{_PLUGINS}.modules.")
#: What a module needs that opens the catalog; what one needs that talks to an array whenever it has something to do.
CATALOG = ("sqlalchemy", "sqlalchemy.dialects.sqlite")
ARRAY = ("pywbem",)
#: Turns all of it off for a whole run.
SWITCH = "ETERNUS_IN_PROCESS"

_entries: dict[str, Callable[[], None]] = {}


class _Compiled(importlib.abc.MetaPathFinder):
    """Finds our modules with Python's own loader: Ansible's compiles a collection's source anew in each process."""

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], _target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        """Return where one of our files lies; packages, which are directories without a file, are Ansible's."""
        if fullname.startswith(_OURS):
            for folder in path or ():
                file = Path(folder, f"{fullname.rpartition('.')[2]}.py")
                if file.is_file():
                    return importlib.util.spec_from_file_location(fullname, file)
        return None


def wanted() -> bool:
    """Tell whether modules may run in forks at all, by the environment variable ETERNUS_IN_PROCESS."""
    return bool(boolean(os.environ.get(SWITCH) or "1", strict=False))


def prepare(name: str, libraries: Sequence[str]) -> None:
    """Import a module of this collection and the libraries that it needs; without them it runs as modules do.

    :param name: its short name.
    """
    if name in _entries or not wanted():
        return
    if not any(isinstance(finder, _Compiled) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Compiled())
    try:
        for library in libraries:
            importlib.import_module(library)
        _entries[name] = importlib.import_module(f"{_PLUGINS}.modules.{name}").main
    except ImportError:
        return


def entry(name: str) -> Optional[Callable[[], None]]:
    """Return the ``main`` of a module that is prepared, by its full name or, if a task has that, its short one."""
    collection, _dot, short = name.rpartition(".")
    return _entries.get(short) if collection in ("", "eternus.backup") else None
