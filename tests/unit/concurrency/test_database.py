# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The database goes away, breaks connections, or is locked, in the middle of a run: a named error, and the rerun mends.

``OUTAGE_SECONDS=60`` lets it be gone for a minute; that changes nothing but the time.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Callable

import pytest

from ansible_collections.eternus.backup.tests.unit.support.field import Field
from ansible_collections.eternus.backup.tests.unit.support.pausing import (
    IMPATIENT,
    TRUSTING,
    after_the_act,
    before_the_commit,
    before_the_look,
)
from ansible_collections.eternus.backup.tests.unit.support.postgres import Postgres

SECONDS = float(os.environ.get("OUTAGE_SECONDS", "0"))
STATED = "What was sent may have been done; the journal keeps the steps, and the next run settles them."


def assert_unavailable(result: dict[str, Any]) -> None:
    """Assert the named error, with a next step."""
    assert result["error_class"] == "catalog_unavailable", result
    assert result["next_step"], result
    assert "exception" not in result, result


def assert_mended(field: Field, *tvs: str) -> None:
    """Assert that one rerun is enough, and that the next changes nothing."""
    assert field.done("eternus_sync", *tvs, prelude=TRUSTING)["equivalent"]
    field.assert_sound()
    assert not field.done("eternus_sync", *tvs)["changed"]


def test_a_database_that_goes_between_two_commits_of_a_step_is_told_and_the_rerun_finishes_it(
    on_postgres: Field, postgres: Postgres
) -> None:
    """Gone before the request: nothing is sent. Gone after it: the error says what may have been done."""
    on_postgres.volumes(2, 2)
    on_postgres.policies("tv0", "tv1")
    acts = on_postgres.acts()
    runs = [
        on_postgres.start("eternus_sync", "tv0", prelude=before_the_look()),
        on_postgres.start("eternus_sync", "tv1", prelude=after_the_act()),
    ]
    for run in runs:
        run.until_stopped()
    with postgres.gone():
        for run in runs:
            run.wake()
        time.sleep(SECONDS)
        for run in runs:
            result = run.ended()[1]
            assert_unavailable(result)
            assert (result["unchanged"], result["changed"]) == (STATED, True)
    assert on_postgres.acts() == acts + 1
    assert len(on_postgres.catalog()["open"]) == 2
    assert_mended(on_postgres, "tv0", "tv1")


@pytest.mark.parametrize("back_in_time", [True, False])
def test_a_database_that_goes_while_a_pair_becomes_equivalent_disturbs_no_wait(
    on_postgres: Field, postgres: Postgres, back_in_time: bool
) -> None:
    """It crashes; that takes no commit back, although this server is set up to lose the last ones."""
    on_postgres.volumes(1, 1)
    on_postgres.policies("tv0")
    on_postgres.array.knobs(copy_rate=1)
    run = on_postgres.start("eternus_sync", "tv0")
    while not on_postgres.sessions() or on_postgres.catalog()["leases"]:
        time.sleep(0.05)
    with postgres.gone():
        time.sleep(SECONDS)
        if not back_in_time:
            on_postgres.array.knobs(copy_rate=0)
            result = run.ended()[1]
            assert_unavailable(result)
            assert result["unchanged"].startswith(f"Started before, and going on: {on_postgres.name('tv0')}."), result
    on_postgres.array.knobs(copy_rate=0)
    if back_in_time:
        assert run.ended()[1]["equivalent"]
    assert_mended(on_postgres, "tv0")


def test_connections_that_are_reset_are_made_anew_and_a_lost_commit_is_looked_for(
    on_postgres: Field, postgres: Postgres
) -> None:
    on_postgres.volumes(1, 1)
    on_postgres.policies("tv0")
    run = on_postgres.start("eternus_sync", "tv0", prelude=before_the_look())
    run.until_stopped()
    assert postgres.reset_connections()
    run.wake()
    assert run.ended()[0] == 0
    assert_mended(on_postgres, "tv0")
    for number in (2, 3):  # the intent; what became of it
        on_postgres.done("eternus_sync", "tv0", state="cancelled")
        run = on_postgres.start("eternus_sync", "tv0", prelude=before_the_commit(number))
        run.until_stopped()
        assert postgres.reset_connections()
        run.wake()
        result = run.ended()[1]
        assert_unavailable(result)
        assert "is not known" in result["unchanged"] if number == 2 else result["unchanged"] == STATED, result
        assert_mended(on_postgres, "tv0")


@contextmanager
def _locked(field: Field) -> Iterator[None]:
    """Hold the catalog as another program may: for as long as it likes."""
    with closing(sqlite3.connect(field.url.partition("///")[2], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.parametrize("point", [None, before_the_look, after_the_act])
def test_a_catalog_that_another_program_locks_for_long_is_told_and_the_rerun_mends(
    on_sqlite: Field, point: Callable[[], str] | None
) -> None:
    on_sqlite.volumes(1, 1)
    on_sqlite.policies("tv0")
    before = on_sqlite.state()
    run = on_sqlite.start("eternus_sync", "tv0", prelude=IMPATIENT + (point() if point else before_the_commit(1)))
    run.until_stopped()
    if point is None:  # it had begun to write first: nobody else gets the lock
        run.wake()
        assert run.ended()[0] == 0
        on_sqlite.done("eternus_sync", "tv0", state="cancelled")
        before = on_sqlite.state()
        with _locked(on_sqlite):
            result = on_sqlite.run("eternus_sync", "tv0", prelude=IMPATIENT)
        assert_unavailable(result)
        assert on_sqlite.state() == before
    else:
        with _locked(on_sqlite):
            run.wake()
            result = run.ended()[1]
        assert_unavailable(result)
        assert result["unchanged"] == STATED
        assert on_sqlite.sessions()
    assert "another process holds the catalog for a long time" in result["next_step"]
    assert_mended(on_sqlite, "tv0")
