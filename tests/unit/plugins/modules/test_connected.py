# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the entries of modules share: the array opened with what is known of it, and what was learnt kept."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.connected import URL, with_arrays
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import ArrayRecord
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._waiter import SystemClock


def _ask(ctx: Context) -> Result:
    for array in ctx.arrays.values():
        array.capabilities()
    return Result(False)


def _refuse(ctx: Context) -> Result:
    _ask(ctx)
    raise BackupError(ErrorClass.BUSY, "No.", next_step="Wait.")


def _work(site: Any, work: Any = _ask, *, keep: bool = True) -> int:
    with closing(open_catalog(site.url)) as catalog:
        result = with_arrays([site.array.options()], catalog, check_mode=False, keep=keep, work=work)
    return int(result.values["round_trips"])


@pytest.mark.parametrize("timeout", [1.0, 60.0, 300.0, 3600.0])
def test_a_lease_outlasts_the_slowest_request_that_the_options_allow(site: Any, timeout: float) -> None:
    # Renewed when an eighth has passed, it lasts for seven; when it ends within a request, the process ends with it.
    def look(ctx: Context) -> Result:
        return Result(False, {"shortest": ctx.lease_seconds * 7 / 8})

    options = replace(site.array.options(), request_timeout=timeout)
    with closing(open_catalog(site.url)) as catalog:
        result = with_arrays([options], catalog, check_mode=True, keep=False, work=look)
    assert result.values["shortest"] > timeout + 10


def _record(site: Any) -> Any:
    with site.records() as records:
        return records.array(site.array.serial)


def test_what_the_client_learnt_is_kept_and_spares_requests_next_time(site: Any) -> None:
    first = _work(site)
    assert _record(site).known[URL] == site.array.options().url
    assert _work(site) == 1 < first


def test_nothing_is_kept_by_a_refusal_or_by_a_task_that_only_reads(site: Any) -> None:
    with pytest.raises(BackupError):
        _work(site, _refuse)
    _work(site, keep=False)
    assert _record(site) is None


def test_of_several_arrays_the_one_behind_the_url_is_known(site: Any) -> None:
    _work(site)
    with site.records() as records:
        mine = records.volumes()[0]
        other = replace(mine.volume, ref=replace(mine.ref, array="A-FIRST"), name="elsewhere")
        records.put_volumes([replace(mine, volume=other)])
        records.put_array(ArrayRecord("A-FIRST", "A-FIRST", SystemClock().now(), {URL: "https://elsewhere:5989"}))
    assert _work(site) == 1


def test_what_another_array_told_is_never_believed(site: Any) -> None:
    _work(site)
    record = _record(site)
    with site.records() as records:
        records.put_array(replace(record, known={**record.known, "serial": "ANOTHER"}))
    assert _work(site) > 1
    assert _work(site) == 1


@pytest.mark.parametrize(
    ("kept", "error_class", "now"),
    [
        ({"replication_types": [10, 11]}, "unsupported_copy", {"replication_types": [2, 10, 11]}),
        ({"max_sessions_per_source": 1}, "session_limit", {"max_sessions_per_source": 8}),
    ],
    ids=["a licence", "a limit"],
)
def test_what_was_kept_is_no_ground_to_refuse_for_ever(
    site: Any, now_offers: Any, kept: dict[str, Any], error_class: str, now: dict[str, Any]
) -> None:
    site.policy("tv", "tv2")
    now_offers(**kept)
    _work(site)
    site.refused(error_class, "eternus_sync")
    now_offers(**now)
    before = site.state()
    assert site.done("eternus_sync", check=True)["changed"] and site.state() == before
    done = site.done("eternus_sync")
    assert done["changed"] and done["equivalent"]
    assert _work(site) == 1


def test_a_copy_that_the_array_still_does_not_offer_is_refused_after_one_look(site: Any, now_offers: Any) -> None:
    site.policy("tv")
    now_offers(replication_types=[10, 11])
    asked = _work(site)
    site.refused("unsupported_copy", "eternus_sync")
    site.array.reset_counters()
    site.refused("unsupported_copy", "eternus_sync")
    requests = site.array.counters()["requests"]
    assert requests["Associators"] == requests["EnumerateInstances"] == 1
    assert site.array.requests() <= asked + 1


def test_what_was_kept_and_has_proved_wrong_is_replaced_though_the_work_is_refused_again(
    site: Any, now_offers: Any
) -> None:
    site.policy("tv")
    now_offers(replication_types=[10, 11])
    _work(site)
    wrong = _record(site).known
    now_offers(replication_types=[10, 11, 12])
    assert site.run("eternus_sync")["error_class"] == "unsupported_copy"
    assert _record(site).known != wrong
    site.refused("unsupported_copy", "eternus_sync")


def test_work_that_changed_something_before_it_was_refused_is_not_done_again(site: Any, now_offers: Any) -> None:
    _work(site)
    now_offers(max_sessions_per_source=4)
    done = []

    def work(ctx: Context) -> Result:
        done.append(ctx)
        raise BackupError(ErrorClass.SESSION_LIMIT, "No.", next_step="End one.", unchanged="One was started.")

    with pytest.raises(BackupError):
        _work(site, work)
    assert len(done) == 1


def test_pairs_go_one_by_one_where_lists_were_kept_as_offered_and_are_not(site: Any, now_offers: Any) -> None:
    site.policy("tv", "tv2", suspend=True)
    _work(site)
    now_offers(list_support=False)
    assert site.done("eternus_sync")["equivalent"]
    assert [row["taken"] for row in site.done("eternus_backup")["backups"]] == [True, True]
