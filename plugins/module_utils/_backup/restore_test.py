# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The restore test: what came back is read whole, compared, and the result remembered (behaviour.md §6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Callable

from ansible_collections.eternus.backup.plugins.module_utils._backup.compare import digest_of
from ansible_collections.eternus.backup.plugins.module_utils._backup.compare_plan import (
    ComparePlan,
    CompareRequest,
    plan_compare,
    shown_plan,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.context import Context
from ansible_collections.eternus.backup.plugins.module_utils._backup.ids import new_id
from ansible_collections.eternus.backup.plugins.module_utils._backup.restore_names import compare_owner
from ansible_collections.eternus.backup.plugins.module_utils._backup.restored import (
    dead_comparisons,
    end_comparison,
    end_comparisons,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_desk import (
    Heartbeat,
    drop_dead_leases,
    tape_lease,
)
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_proof import prove
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Conflict, Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Lease,
    Reader,
    ReaderPurpose,
    RestoreTest,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._options import invalid
from ansible_collections.eternus.backup.plugins.module_utils._result import Result
from ansible_collections.eternus.backup.plugins.module_utils._tape.device import Device, open_device
from ansible_collections.eternus.backup.plugins.module_utils._tape.stream import StreamOptions


@dataclass(frozen=True)
class Devices:
    """Where this host shows volumes, and how their bytes move."""

    device_dir: str = "/dev/disk/by-id"
    stream: StreamOptions = field(default_factory=StreamOptions)


def compare_restored(ctx: Context, devices: Devices, request: CompareRequest) -> Result:
    """Compare a target with the backup that was brought back onto it, and write the result down.

    :raises BackupError: ``checksum_mismatch`` when they differ; that is written down too.
    """
    with ctx.catalog.read() as records:
        plan = plan_compare(ctx, records, request)
    with _opened(devices, plan):
        pass
    if ctx.check_mode:
        return _result(plan, {**shown_plan(plan)})
    beat = Heartbeat(ctx, _begin(ctx, plan, request))

    def progress() -> None:
        if beat.due():
            with beat.transaction():
                pass

    try:
        actual, expected = _read(devices, plan, progress)
    except BackupError:
        with beat.transaction() as records:
            _end(records, beat, plan)
        raise
    test = _judge(ctx, plan, actual, expected)
    with beat.transaction() as records:
        records.add_restore_test(test)
        if test.ok and plan.source == "tape" and plan.copy is not None:
            prove(records, plan.backup.id, plan.copy, test.tested_at, True)
        _end(records, beat, plan)
    compared = [{"what": what, "sha256": sha256} for what, sha256 in zip(plan.against, expected)]
    shown = {
        **shown_plan(plan),
        "id": test.id,
        "compared_with": compared,
        "state": "equal" if test.ok else "different",
        "ok": test.ok,
        "sha256": actual,
        "tested_at": test.tested_at.isoformat(),
        "message": test.message,
    }
    if not test.ok:
        raise BackupError(
            ErrorClass.CHECKSUM_MISMATCH,
            test.message,
            next_step="Was the target written after the restore? If not, restore another backup, and find the cause.",
            unchanged="The volumes were only read; the result is written down.",
            changed=True,
            test=shown,
        )
    return _result(plan, shown)


@contextmanager
def _opened(devices: Devices, plan: ComparePlan) -> Iterator[tuple[Device, Sequence[Device]]]:
    """Open the target, and the backup volume where it is to be read; neither may be the other under another name."""
    size = plan.backup.size
    with open_device(devices.device_dir, plan.target.ref.device_id, size) as target:
        if plan.bv is None:
            yield target, ()
            return
        with open_device(devices.device_dir, plan.bv.device_id, size) as source:
            if target.same_as(source):
                raise invalid("target", plan.target.name, f"It leads to the same device as {plan.bv_name}.")
            yield target, (source,)


def _begin(ctx: Context, plan: ComparePlan, request: CompareRequest) -> Sequence[Lease]:
    """Take the leases, so that nobody restores onto the target meanwhile, and protect what it is compared with."""
    now, owner = ctx.clock.now(), compare_owner(plan.target.ref)
    names = [f"volume:{plan.target.ref}", owner]
    if plan.source == "tape" and plan.copy is not None:
        names.append(tape_lease(plan.backup.id, plan.copy.number))
    try:
        with ctx.catalog.begin() as records:
            drop_dead_leases(records, names)
            leases = records.take_leases(names, ctx.owner, now, ctx.lease_seconds)
            end_comparisons(records, dead_comparisons(records, now, ours=owner))
            again = plan_compare(ctx, records, request)
            if (again.bv, again.target.ref, _parts(again)) != (plan.bv, plan.target.ref, _parts(plan)):
                raise Conflict
            if plan.bv is not None:
                records.add_reader(Reader(plan.bv, plan.backup.id, ReaderPurpose.RESTORE, owner, now))
            return leases
    except Conflict as error:
        raise BackupError(
            ErrorClass.BUSY,
            f"Another operation changed backup {plan.backup.id} meanwhile.",
            next_step="Run it again.",
            volume=plan.target.name,
        ) from error


def _parts(plan: ComparePlan) -> object:
    return (plan.copy.number, plan.copy.parts) if plan.copy is not None else None


def _end(records: Records, beat: Heartbeat, plan: ComparePlan) -> None:
    if plan.bv is not None:
        end_comparison(records, plan.bv, compare_owner(plan.target.ref))
    beat.end(records)


def _read(devices: Devices, plan: ComparePlan, progress: Callable[[], None]) -> tuple[str, Sequence[str]]:
    """Return the checksum of the target, and those that it must have, in the order of ``plan.against``."""
    with _opened(devices, plan) as (target, sources):
        expected = [digest_of(source, devices.stream, progress) for source in sources]
        if plan.copy is not None:
            expected.append(plan.copy.sha256)
        return digest_of(target, devices.stream, progress), expected


def _judge(ctx: Context, plan: ComparePlan, actual: str, expected: Sequence[str]) -> RestoreTest:
    """Return the test as it is remembered; everything that was compared must be equal."""
    different = [f"{what} ({sha256})" for what, sha256 in zip(plan.against, expected) if sha256 != actual]
    message = f"{plan.target.name} ({actual}) differs from {' and '.join(different)}." if different else ""
    now = ctx.clock.now()
    return RestoreTest(
        id=new_id(now),
        backup_id=plan.backup.id,
        tv=plan.backup.tv,
        target=plan.target.ref,
        source=plan.source,
        copy=plan.copy.number if plan.source == "tape" and plan.copy is not None else 0,
        tested_at=now,
        ok=not different,
        size=plan.backup.size,
        sha256=actual,
        message=message,
    )


def _result(plan: ComparePlan, shown: dict[str, object]) -> Result:
    """A test is an addition to the catalog; diff mode shows it."""
    told = {"backup_id": plan.backup.id, "source": plan.source, "compared_with": list(plan.against)}
    return Result(True, {"test": shown}, {plan.target.name: {}}, {plan.target.name: {"restore_test": told}})
