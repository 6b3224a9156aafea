# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the entries of modules share: the array opened with what is known of it, and what was learnt kept."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._backup.connected import URL, with_array
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
        result = with_array(site.array.options(), catalog, check_mode=False, keep=keep, work=work)
    return int(result.values["round_trips"])


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
