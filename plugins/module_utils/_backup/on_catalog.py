# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the entries that need no array share: the catalog opened as the options say."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any, Callable

from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._options import catalog_url
from ansible_collections.eternus.backup.plugins.module_utils._result import Result


def on_catalog(
    params: Mapping[str, Any],
    *,
    check_mode: bool,
    work: Callable[[Context], Result],
    reads: bool = False,
    makes: bool = True,
) -> Result:
    """Do a work over the catalog alone. In check mode a catalog that is still to be made reads as empty.

    :param reads: the work only reads: outside check mode, a catalog that is not there is ``catalog_unavailable``.
    :param makes: whether the work may make the catalog; a wrong URL must not pass for nothing to do.
    """
    create = check_mode or (makes and not reads)
    with closing(open_catalog(catalog_url(params), create=create, read_only=check_mode or reads)) as catalog:
        return work(Context(catalog, check_mode=check_mode))
