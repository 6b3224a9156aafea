# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the entries over catalog and array share: both opened as the options say, and what the client learnt kept."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any, Callable, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.connect import connect
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Catalog, Conflict, Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import ArrayRecord
from ansible_collections.eternus.backup.plugins.module_utils._errors import (
    NOTHING_CHANGED,
    BackupError,
    ErrorClass,
)
from ansible_collections.eternus.backup.plugins.module_utils._options import (
    ArrayOptions,
    array_options,
    catalog_url,
)
from ansible_collections.eternus.backup.plugins.module_utils._result import Result

_LIMITS = frozenset({ErrorClass.UNSUPPORTED_COPY.value, ErrorClass.SESSION_LIMIT.value})

#: Among what is known of an array: where it was reached, so that its record is found before it has told its serial.
URL = "url"

NOTHING = "No volume is named and none has a policy: nothing was done. Declare policies with eternus_policy."


def on_array(
    params: Mapping[str, Any], *, check_mode: bool, work: Callable[[Context], Result], rows: str = ""
) -> Result:
    """Do a work over the catalog and one array; the result bears ``round_trips``, the requests sent to the array.

    A catalog that is not there is ``catalog_unavailable``, since a wrong URL must not pass for "nothing to back up"; in
    check mode it reads as empty, an earlier task may be the one that makes it.

    :param rows: the result's list with one row a volume; where it is empty, the result says that nothing was done.
    """
    options = array_options(params)
    with closing(open_catalog(catalog_url(params), create=check_mode, read_only=check_mode)) as catalog:
        result = with_array(options, catalog, check_mode=check_mode, keep=not check_mode, work=work)
    if rows and not result.values[rows]:
        return replace(result, warnings=[*result.warnings, NOTHING])
    return result


def with_array(
    options: ArrayOptions, catalog: Catalog, *, check_mode: bool, keep: bool, work: Callable[[Context], Result]
) -> Result:
    """Do a work over an open catalog and one array.

    What was kept of an array is no ground to refuse: it may have got a licence since. Where the work ends so, the
    array is asked, and where it tells something else the work is done once more; it had changed nothing (§4).

    :param keep: write down what the client learnt, once the work has succeeded or what was kept has proved wrong: a
        refusal by itself changes nothing (§4).
    """
    with catalog.read() as records:
        record = _record(records, options.url)
    with closing(connect(options, known=record.known if record else None)) as array:
        ctx = Context(catalog, {array.serial: array}, check_mode=check_mode)
        try:
            result = work(ctx)
        except BackupError as refusal:
            if not (_by_capabilities(refusal) and array.ask_anew()):
                raise
            if keep:
                record = _keep(ctx, array.serial, record, {**array.known, URL: options.url})
            if refusal.unchanged != NOTHING_CHANGED:
                raise
            result = work(ctx)
        if keep:
            _keep(ctx, array.serial, record, {**array.known, URL: options.url})
        return replace(result, values={**result.values, "round_trips": array.round_trips})


def _record(records: Records, url: str) -> Optional[ArrayRecord]:
    """Return what is known of the array behind a URL, or of the only one: the client checks the serial."""
    serials = sorted({volume.ref.array for volume in records.volumes()})
    known = [record for record in map(records.array, serials) if record is not None]
    here = [record for record in known if record.known.get(URL) == url]
    if here:
        return here[0]
    return known[0] if len(known) == 1 else None


def _by_capabilities(error: BackupError) -> bool:
    """Tell whether what an array offers is among the reasons of a refusal."""
    listed = [one["error_class"] for one in error.details.get("errors", ())]
    return not _LIMITS.isdisjoint([error.error_class.value, *listed])


def _keep(ctx: Context, serial: str, record: Optional[ArrayRecord], known: dict[str, str]) -> Optional[ArrayRecord]:
    """Write down what is new, return what is there then. It only spares requests: where it fails, the work goes on."""
    if record is not None and record.serial == serial and record.known == known:
        return record
    with suppress(BackupError, Conflict), ctx.catalog.begin() as records:
        old = records.array(serial)
        if old is not None or records.volumes():
            new = replace(old, known=known) if old else ArrayRecord(serial, serial, ctx.clock.now(), known)
            records.put_array(new)
            record = new
    return record
