# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields for many processes: one simulated array, a catalog on either database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.eternus.backup.tests.unit.support.crowd import Crowd
from ansible_collections.eternus.backup.tests.unit.support.field import Field, new_prefix
from ansible_collections.eternus.backup.tests.unit.support.postgres import Postgres
from ansible_collections.eternus.backup.tests.unit.support.simulated import Simulated, start_simulated, stop_simulated


@pytest.fixture(scope="session")
def field_array(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Simulated]:
    """Return the array that these tests share; each has volumes of its own."""
    directory = tmp_path_factory.mktemp("array")
    try:
        yield start_simulated(directory, tls_directory=certificates)[0]
    finally:
        stop_simulated(directory)


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    """Return the process that forks module processes."""
    made = Crowd(tmp_path_factory.mktemp("crowd"))
    yield made
    made.close()


def _field(array: Simulated, url: str, crowd: Crowd) -> Iterator[Field]:
    try:
        yield Field(array, url, crowd, new_prefix())
    finally:
        array.unfail()
        array.knobs(copy_rate=0, latency=0)


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, field_array: Simulated, crowd: Crowd, tmp_path: Path) -> Iterator[Field]:
    """Return a field with a catalog on SQLite, then one on PostgreSQL."""
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/state/catalog.db" if sqlite else request.getfixturevalue("postgres").new_url()
    yield from _field(field_array, url, crowd)


@pytest.fixture
def on_sqlite(field_array: Simulated, crowd: Crowd, tmp_path: Path) -> Iterator[Field]:
    """Return a field with a catalog on SQLite."""
    yield from _field(field_array, f"sqlite:///{tmp_path}/state/catalog.db", crowd)


@pytest.fixture
def on_postgres(postgres: Postgres, field_array: Simulated, crowd: Crowd) -> Iterator[Field]:
    """Return a field with a catalog on PostgreSQL."""
    yield from _field(field_array, postgres.new_url(), crowd)
