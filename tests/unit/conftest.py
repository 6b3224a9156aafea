# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures that all unit tests share: simulated arrays over https, a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from coverage import Coverage

from ansible_collections.eternus.backup.tests.unit.support.postgres import Postgres, running_postgres
from ansible_collections.eternus.backup.tests.unit.support.simulated import (
    Simulated,
    start_simulated,
    stop_simulated,
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Stop measuring coverage while a test runs that is marked ``unmeasured``; others cover what it runs."""
    measuring = Coverage.current() if item.get_closest_marker("unmeasured") else None
    if measuring is None:
        return (yield)
    measuring.stop()
    try:
        return (yield)
    finally:
        measuring.start()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of certificates that all arrays of a test run share."""
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; who stops it starts it again."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def simulated_array(tmp_path: Path, certificates: Path) -> Iterator[Simulated]:
    """A fresh simulated array, without volumes, for one test."""
    directory = tmp_path / "array"
    try:
        yield start_simulated(directory, tls_directory=certificates)[0]
    finally:
        stop_simulated(directory)


@pytest.fixture(scope="module")
def module_array(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Simulated]:
    """A simulated array that the tests of one file share; they leave it as they found it."""
    directory = tmp_path_factory.mktemp("array")
    try:
        yield start_simulated(directory, tls_directory=certificates)[0]
    finally:
        stop_simulated(directory)
