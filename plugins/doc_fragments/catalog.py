# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the option that reaches the catalog."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of plugins/module_utils/_options.py: catalog_args."""

    DOCUMENTATION = r"""
options:
  catalog_url:
    description:
      - Where the catalog of backups lies, as an SQLAlchemy URL.
      - A file of SQLite is enough for one host; several hosts share a PostgreSQL database
        (V(postgresql+psycopg://user:password@host/database)).
      - It may hold a password and is never shown.
      - Falls back to the environment variable E(ETERNUS_CATALOG).
    type: str
    default: sqlite:////var/lib/eternus-backup/catalog.db
requirements:
  - SQLAlchemy >= 2
"""

    # For modules that read no catalog: the action group's defaults are given to them all the same.
    IDLE = r"""
options:
  catalog_url:
    description: Not used. It may be there, since C(module_defaults) of the action group gives it to every module.
    type: str
"""
