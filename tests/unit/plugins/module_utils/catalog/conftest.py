# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Catalogs for tests: a SQLite file, and a schema of a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import SqlCatalog, open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Role
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog.samples import allocation, registered
from ansible_collections.eternus.backup.tests.unit.support.postgres import Postgres


@pytest.fixture(autouse=True)
def no_execution_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests run inside ansible-runner too."""
    monkeypatch.delenv("AWX_ISOLATED_DATA_DIR", raising=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a catalog that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/catalog.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_url()


@pytest.fixture
def catalog(url: str) -> Iterator[SqlCatalog]:
    """Return a catalog on either database."""
    made = open_catalog(url)
    yield made
    made.close()


@dataclass(frozen=True)
class House:
    """A catalog with TVs 1-2, BVs 10-14; BVs 10-12 serve TV 1."""

    catalog: SqlCatalog
    url: str


@pytest.fixture
def house(catalog: SqlCatalog, url: str) -> House:
    with catalog.begin() as records:
        records.put_volumes([registered(number, Role.TRANSACTION) for number in (1, 2)])
        records.put_volumes([registered(number) for number in range(10, 15)])
        records.allocate([allocation(number) for number in (10, 11, 12)])
    return House(catalog, url)
