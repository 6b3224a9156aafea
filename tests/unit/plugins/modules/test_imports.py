# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Libraries are imported only by the runs that use them: each costs a task 0.1 to 0.3 s (toolchain.md)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ansible_collections.eternus.backup.tests.unit.plugins.modules.conftest import Site
from ansible_collections.eternus.backup.tests.unit.support.run_module import module_process

LIBRARIES = ("pywbem", "requests", "urllib3", "sqlalchemy", "jmespath", "psycopg")
SPEAKS = {"pywbem", "requests", "urllib3"}
_TELLS = f"""
import atexit, json, sys
atexit.register(lambda: sys.stderr.write("\\nimported: " + json.dumps(
    [name for name in {LIBRARIES!r} if name in sys.modules]) + "\\n"))
"""


def imported(module: str, args: dict[str, Any]) -> set[str]:
    """Run a module, which must succeed, in a new process; return the libraries that it has imported."""
    code, out, err = module_process(module, args, prefix=("env",), prelude=_TELLS)
    assert code == 0, out + err
    told = re.search(r"^imported: (.*)$", err, re.MULTILINE)
    assert told is not None, err
    return set(json.loads(told.group(1)))


@pytest.mark.parametrize("module", ["eternus_policy", "eternus_backup_info", "tape_info"])
def test_a_task_over_the_catalog_alone_imports_no_pywbem(site: Site, module: str) -> None:
    site.policy("tv")
    args = {"catalog_url": site.url}
    if module == "eternus_policy":
        args["policies"] = [{"volume": site.name("tv"), "media": "disk", "generations": 1}]
    assert imported(module, args) == {"sqlalchemy"}


def test_a_task_over_the_array_alone_imports_no_sqlalchemy(site: Site) -> None:
    assert imported("eternus_info", {**site.array.args(), "gather_subset": ["array"]}) == SPEAKS


def test_only_a_query_imports_jmespath(site: Site) -> None:
    args = {**site.array.args(), "gather_subset": ["volumes"], "query": "volumes[].name"}
    assert imported("eternus_info", args) == {*SPEAKS, "jmespath"}


def test_a_task_over_both_imports_both_and_no_driver_that_it_does_not_use(site: Site) -> None:
    assert imported("eternus_backup_info", {**site.array.args(), "catalog_url": site.url}) == {*SPEAKS, "sqlalchemy"}
