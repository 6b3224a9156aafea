# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the entries over catalog and arrays share: opened as the options say, and what the clients learnt kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Callable, Optional, Union

from ansible_collections.eternus.backup.plugins.module_utils._array.connect import connect
from ansible_collections.eternus.backup.plugins.module_utils._array.wbem import WbemArray
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.offered import offered
from ansible_collections.eternus.backup.plugins.module_utils._backup.side_by_side import asked
from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Catalog, Conflict, Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import ArrayRecord
from ansible_collections.eternus.backup.plugins.module_utils._errors import (
    NOTHING_CHANGED,
    BackupError,
    ErrorClass,
    combined,
)
from ansible_collections.eternus.backup.plugins.module_utils._options import (
    ArrayOptions,
    catalog_url,
    every_array,
)
from ansible_collections.eternus.backup.plugins.module_utils._result import Result

_BY_ABSENCE = frozenset({ErrorClass.ARRAY_UNREACHABLE, ErrorClass.NO_SUCH_VOLUME})
_LEFT_OUT = "The task went on without it."
#: Seconds: the requests that a lease is made for, and those beyond which it grows no more with ``request_timeout``.
_USUAL, _SLOWEST = 60.0, 3600.0
_LIMITS = frozenset({ErrorClass.UNSUPPORTED_COPY.value, ErrorClass.SESSION_LIMIT.value})

#: Among what is known of an array: where it was reached, so that its record is found before it has told its serial.
URL = "url"

NOTHING = "No volume is named and none has a policy: nothing was done. Declare policies with eternus_policy."


def on_array(
    params: Mapping[str, Any],
    *,
    check_mode: bool,
    work: Callable[[Context], Result],
    rows: str = "",
    spare_peers: bool = False,
    must_exist: bool = False,
) -> Result:
    """Do a work over the catalog and the arrays; the result bears ``round_trips``, the requests sent to them all.

    A catalog that is not there is ``catalog_unavailable``, since a wrong URL must not pass for "nothing to back up"; in
    check mode it reads as empty, an earlier task may be the one that makes it.

    :param rows: the result's list with one row a volume; where it is empty, the result says that nothing was done.
    :param spare_peers: whether the work is done without peers that cannot be reached.
    :param must_exist: whether a catalog that is not there is refused in check mode as well.
    """
    options = every_array(params)
    create = check_mode and not must_exist
    with closing(open_catalog(catalog_url(params), create=create, read_only=check_mode)) as catalog:
        keep = not check_mode
        result = with_arrays(options, catalog, check_mode=check_mode, keep=keep, work=work, spare_peers=spare_peers)
    if rows and not result.values[rows]:
        return replace(result, warnings=[*result.warnings, NOTHING])
    return result


def with_arrays(
    options: Sequence[ArrayOptions],
    catalog: Catalog,
    *,
    check_mode: bool,
    keep: bool,
    work: Callable[[Context], Result],
    spare_peers: bool = False,
) -> Result:
    """Do a work over an open catalog and one or more arrays.

    What was kept of an array is no ground to refuse: it may have got a licence since. Where the work ends so, the
    arrays are asked, and where one tells something else the work is done once more; it had changed nothing (§4).

    :param keep: write down what the clients learnt, once the work has succeeded or what was kept has proved wrong: a
        refusal by itself changes nothing (§4).
    :param spare_peers: whether arrays but the first may be out of reach: they are left out, with a warning, as if they
        had not been named.
    """
    absent: dict[str, BackupError] = {}
    with catalog.read() as records:
        serials = records.serials()
        kept = [_record(records, serials, one.url) for one in options]
        offers = offered(records, serials)
    known = [record.known if record else None for record in kept]
    with opened(options, known, absent if spare_peers else None) as arrays, _naming(absent):
        ctx = _patient(Context(catalog, arrays, check_mode=check_mode, offers=offers), options)
        reached = [(one.url, record) for one, record in zip(options, kept) if one.url not in absent]
        ends = [_End(array, url, record) for array, (url, record) in zip(arrays.values(), reached)]
        try:
            result = work(ctx)
        except BackupError as refusal:
            if not (_by_capabilities(refusal) and _anew(arrays.values())):
                raise
            if keep:
                ends = [_keep(ctx, end) for end in ends]
            if refusal.unchanged != NOTHING_CHANGED:
                raise
            result = work(ctx)
        if keep:
            for end in ends:
                _keep(ctx, end)
        round_trips = sum(array.round_trips for array in arrays.values())
        warnings = [*result.warnings, *(f"{error.message} {_LEFT_OUT}" for error in absent.values())]
        return replace(result, values={**result.values, "round_trips": round_trips}, warnings=warnings)


def _patient(ctx: Context, options: Sequence[ArrayOptions]) -> Context:
    """Let leases outlast the slowest request that the options allow: this process ends with them (fuse.py)."""
    longer = min(max(one.request_timeout for one in options), _SLOWEST) - _USUAL
    return replace(ctx, lease_seconds=ctx.lease_seconds + 2 * max(0.0, longer))


@contextmanager
def _naming(absent: Mapping[str, BackupError]) -> Iterator[None]:
    """Let an error that may come from an array's absence name that array."""
    try:
        yield
    except BackupError as error:
        if not absent or error.error_class not in _BY_ABSENCE:
            raise
        raise combined([error, *absent.values()], unchanged=error.unchanged, changed=error.changed) from error


@contextmanager
def opened(
    options: Sequence[ArrayOptions],
    known: Sequence[Optional[Mapping[str, str]]] = (),
    absent: Optional[dict[str, BackupError]] = None,
) -> Iterator[dict[str, WbemArray]]:
    """Connect to arrays, for as long as the block lasts; by serial, in the order of the options.

    :param known: what was kept of each of them, in the same order.
    :param absent: takes, by URL, why an array but the first cannot be reached; None: that is an error.
    :raises BackupError: ``invalid_option`` when two connections lead to one array.
    """
    arrays: dict[str, WbemArray] = {}
    with ExitStack() as stack:
        connected = [
            stack.enter_context(closing(connect(one, known=before))) for one, before in zip_longest(options, known)
        ]
        for one, array, serial in zip(options, connected, asked(connected, _serial_of)):
            if isinstance(serial, BackupError):
                if absent is None or not arrays or serial.error_class is not ErrorClass.ARRAY_UNREACHABLE:
                    raise serial
                absent[one.url] = serial
                continue
            if serial in arrays:
                raise _same_array(serial, one.url)
            arrays[serial] = array
        yield arrays


def _serial_of(array: WbemArray) -> Union[str, BackupError]:
    """Ask which array it is; why it does not tell may matter or not."""
    try:
        return array.serial
    except BackupError as error:
        return error


def _same_array(serial: str, url: str) -> BackupError:
    return BackupError(
        ErrorClass.INVALID_OPTION,
        f"Behind {url} is array {serial}, to which this task is connected already.",
        next_step="Name each array once: the main one by host, the others in peers.",
        option="peers",
    )


def _record(records: Records, serials: Sequence[str], url: str) -> Optional[ArrayRecord]:
    """Return what is known of the array behind a URL, or of the only one: the client checks the serial."""
    known = records.arrays(serials)
    here = [record for record in known if record.known.get(URL) == url]
    if here:
        return here[0]
    return known[0] if len(known) == 1 else None


def _by_capabilities(error: BackupError) -> bool:
    """Tell whether what an array offers is among the reasons of a refusal."""
    listed = [one["error_class"] for one in error.details.get("errors", ())]
    return not _LIMITS.isdisjoint([error.error_class.value, *listed])


def _anew(arrays: Iterable[WbemArray]) -> bool:
    """Ask every array what it offers; tell whether one says something else than what was kept."""
    return any(asked(arrays, lambda array: array.ask_anew()))


@dataclass(frozen=True)
class _End:
    """A connection: the array behind it, by which URL, and what the catalog holds of it."""

    array: WbemArray
    url: str
    record: Optional[ArrayRecord]


def _keep(ctx: Context, end: _End) -> _End:
    """Write down what is new, return what is there then. It only spares requests: where it fails, the work goes on."""
    serial, record, known = end.array.serial, end.record, {**end.array.known, URL: end.url}
    if record is not None and record.serial == serial and record.known == known:
        return end
    with suppress(BackupError, Conflict), ctx.catalog.begin() as records:
        old = records.array(serial)
        if old is not None or records.serials():
            new = replace(old, known=known) if old else ArrayRecord(serial, serial, ctx.clock.now(), known)
            records.put_array(new)
            record = new
    return replace(end, record=record)
