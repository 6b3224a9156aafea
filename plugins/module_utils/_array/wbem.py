# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The array behind CIM/WBEM: what the engine asks, as few requests as it takes (array.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Optional

from ansible_collections.eternus.backup.plugins.module_utils._array import cim, codes, paths, reading, rows, values
from ansible_collections.eternus.backup.plugins.module_utils._array.cim import Action
from ansible_collections.eternus.backup.plugins.module_utils._array.codes import Act
from ansible_collections.eternus.backup.plugins.module_utils._array.connection import Answer, Connection
from ansible_collections.eternus.backup.plugins.module_utils._array.interface import Around
from ansible_collections.eternus.backup.plugins.module_utils._array.jobs import Ending, Pending, Settling
from ansible_collections.eternus.backup.plugins.module_utils._array.mapping import Offer
from ansible_collections.eternus.backup.plugins.module_utils._array.model import (
    Capabilities,
    CopyType,
    Outcome,
    Pair,
    Pool,
    Session,
    SessionState,
    Volume,
)
from ansible_collections.eternus.backup.plugins.module_utils._array.replication import Replication
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._waiter import Clock, SystemClock, Wait

_OFFER = ("SupportedReplicationTypes", "SupportedSynchronousActions", "SupportedAsynchronousActions")
_COPYING = (SessionState.EXECUTING, SessionState.EQUIVALENT)

#: Volumes that are asked for by DeviceID are read one by one up to here; more are cheaper by one enumeration.
_SINGLE_READS = 8

_BUSY = Wait(interval=1.0, timeout=30.0)
_JOB_WAIT = Wait(interval=1.0, timeout=120.0)


class WbemArray:
    """One array over one connection; implements :class:`Array`. Nothing is sent before the first question.

    :param known: what an earlier run kept (its ``known``): serial, service path, capabilities. It is used only
        where the array tells that serial, so that a host that now leads elsewhere does no harm.
    :param busy: how a request that met ``32787 device busy`` is repeated; seconds.
    :param job_wait: how long a job that does not show its outcome is waited for; seconds.

    Arrays are told apart by IdentifyingNumber. An element of a session lies on another array (REC, ROPC) when the name
    of the system in its path is not ours; that name then stands for the array.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        known: Optional[Mapping[str, str]] = None,
        clock: Optional[Clock] = None,
        busy: Wait = _BUSY,
        job_wait: Wait = _JOB_WAIT,
    ) -> None:
        """Take a connection that nothing was sent over yet."""
        self._connection = connection
        self._kept = dict(known or {})
        self._clock = clock or SystemClock()
        self._busy = busy
        self._job_wait = job_wait
        self._serial = ""
        self._service: Any = None
        self._offer: Optional[Offer] = None
        self._believed = False
        self._session_paths: dict[Any, Any] = {}
        self._around: Around = nullcontext

    @property
    def serial(self) -> str:
        """Return IdentifyingNumber, e.g. ``ET603SA4621302115``; asked once."""
        if not self._serial:
            found = self._connection.names(cim.PRODUCT_CLASS)
            if not found:
                raise _no_eternus(cim.PRODUCT_CLASS)
            with self._connection.understood():
                self._serial = values.key(found[0], "IdentifyingNumber")
            if self._kept.get("serial") != self._serial:
                self._kept = {}
        return self._serial

    @property
    def round_trips(self) -> int:
        """Return how many requests were sent so far."""
        return self._connection.round_trips

    @property
    def known(self) -> Mapping[str, str]:
        """Return what to keep for the next run: what was found out, on top of what was kept. Plain text, no secrets."""
        found = {"serial": self._serial} if self._serial else {}
        if self._service is not None:
            found["service"] = paths.to_uri(self._service)
        if self._offer is not None:
            found["capabilities"] = self._offer.as_json()
        return {**self._kept, **found}

    def close(self) -> None:
        """Give back the connection."""
        self._connection.close()

    def capabilities(self) -> Capabilities:
        """Return what it can do; asked once."""
        return self._offered().capabilities()

    def ask_anew(self) -> bool:
        """Ask what it can do where that was only kept, e.g. before a refusal; tell whether it is something else now.

        A licence may have been registered, or a limit moved, since an earlier run. Nothing is sent when the array
        itself has told this client already.
        """
        kept = self._offered()
        if not self._believed:
            return False
        self._offer, self._believed = self._ask_offer(), False
        return self._offer != kept

    def volumes(self) -> Sequence[Volume]:
        """Return every volume but hidden ones, by one enumeration."""
        return reading.volumes(self._connection, self.serial)

    def pools(self) -> Sequence[Pool]:
        """Return every pool, by one enumeration a kind."""
        return reading.pools(self._connection)

    def find_volumes(self, names: Sequence[str]) -> Mapping[str, Volume]:
        """Return volumes by name, DeviceID or ``wwn-0x...``; what is not there is left out."""
        devices = {name: reading.device_of(name) for name in names}
        if len(devices) <= _SINGLE_READS and all(devices.values()):
            read = {
                name: reading.volume(self._connection, self.serial, self._system(), device)
                for name, device in devices.items()
                if device
            }
            return {name: volume for name, volume in read.items() if volume is not None}
        everything = self.volumes()
        by_name = {volume.name: volume for volume in everything}
        by_device = {volume.ref.device_id: volume for volume in everything}
        found = {name: by_name.get(name) or by_device.get(device or "") for name, device in devices.items()}
        return {name: volume for name, volume in found.items() if volume is not None}

    def sessions(self) -> Sequence[Session]:
        """Return every copy session, by one enumeration however many are wanted."""
        ours = self.serial
        found = list(reading.sessions(self._connection, lambda path, other: self._array_of(path, other, ours)))
        self._session_paths = {session.key: path for session, path in found}
        return [session for session, _path in found]

    @contextmanager
    def guarded(self, around: Around) -> Iterator[None]:
        """Within the block, send each changing request inside ``around()``: what that raises keeps it back."""
        before, self._around = self._around, around
        try:
            yield
        finally:
            self._around = before

    def start(self, copy_type: CopyType, pairs: Sequence[Pair], *, track: bool = False) -> Sequence[Outcome]:
        """Start copies from source to target. ``unsupported_copy`` where not offered. ``track``: QuickOPC."""
        if track and copy_type is CopyType.OPC:
            copy_type = CopyType.QUICK_OPC
        if not pairs:
            return []
        offered = self.capabilities()
        if copy_type not in offered.copies:
            return [Outcome(pair, _unsupported(copy_type, offered, pair)) for pair in pairs]
        tracked = copy_type is CopyType.QUICK_OPC
        elements = [(self._element(pair.source), self._element(pair.target)) for pair in pairs]
        answers: Sequence[Answer] = []
        if offered.create_list and len(pairs) > 1:
            sources, targets = zip(*elements)
            answer = self._replication().create_list(copy_type, sources, targets, track=tracked)
            answers = [] if self._takes_no_more(Action.CREATE_LIST, answer) else [answer] * len(pairs)
        if not answers:
            service = self._replication()
            answers = [service.create(copy_type, source, target, track=tracked) for source, target in elements]
        return self._outcomes(Act.START, copy_type, pairs, answers, lambda session: session is not None)

    def suspend(self, copy_type: CopyType, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        """Suspend equivalent EC/REC sessions, at one instant where lists are offered; both sides are independent."""
        return self._modify(
            Act.SUSPEND,
            lambda many: self._offered().suspend_operation(many=many),
            copy_type,
            pairs,
            lambda session: session is not None and session.state is SessionState.SUSPENDED,
        )

    def resume(self, copy_type: CopyType, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        """Copy the differences of suspended (or tracked) sessions and go on."""
        # A tracked session looks the same before and after a short copy: there only the job tells.
        return self._modify(
            Act.RESUME,
            lambda _many: cim.Operation.RESYNC,
            copy_type,
            pairs,
            lambda session: copy_type.mirror and session is not None and session.state in _COPYING,
        )

    def release(self, copy_type: CopyType, pairs: Sequence[Pair]) -> Sequence[Outcome]:
        """End sessions; one that is not there counts as ended."""
        snapshot = copy_type is CopyType.SNAP_OPC
        operation = cim.Operation.RETURN_TO_POOL if snapshot else cim.Operation.DETACH
        return self._modify(Act.RELEASE, lambda _many: operation, copy_type, pairs, lambda session: session is None)

    def _modify(
        self,
        act: Act,
        operation: Callable[[bool], cim.Operation],
        copy_type: CopyType,
        pairs: Sequence[Pair],
        shows: Callable[[Optional[Session]], bool],
    ) -> Sequence[Outcome]:
        if not pairs:
            return []
        sessions = [self._session_path(pair) for pair in pairs]
        answers: Sequence[Answer] = []
        if len(pairs) > 1 and self.capabilities().modify_list:
            answer = self._replication().modify_list(operation(True), copy_type, sessions)
            # All or none: one that is gone already kept the others from being ended.
            one_gone = act is Act.RELEASE and answer.code == codes.NO_SESSION
            again = one_gone or self._takes_no_more(Action.MODIFY_LIST, answer)
            answers = [] if again else [answer] * len(pairs)
        if not answers:
            service, one_by_one = self._replication(), operation(False)
            answers = [service.modify(one_by_one, session) for session in sessions]
        return self._outcomes(act, copy_type, pairs, answers, shows)

    def _outcomes(
        self,
        act: Act,
        copy_type: CopyType,
        pairs: Sequence[Pair],
        answers: Sequence[Answer],
        shows: Callable[[Optional[Session]], bool],
    ) -> Sequence[Outcome]:
        pending = [
            Pending(pair, values.path(answer.out.get("Job")))
            for pair, answer in zip(pairs, answers)
            if answer.code == codes.JOB_STARTED
        ]
        endings: Mapping[Any, Ending] = {}
        if pending:
            settling = Settling(self._connection, pending, self.sessions, shows)
            endings = settling.wait(self._job_wait, self._clock)
        return [
            Outcome(
                pair, _error(act, copy_type, pair, endings.get(pair.key) or Ending(answer.code, answer.description))
            )
            for pair, answer in zip(pairs, answers)
        ]

    def _takes_no_more(self, lists: Action, answer: Answer) -> bool:
        """Tell whether a list was refused, and nothing done, since the array no longer offers what was kept of it."""
        return answer.code == codes.NOT_SUPPORTED and self.ask_anew() and lists not in self._offered().actions

    def _replication(self) -> Replication:
        return Replication(
            self._connection, self._service_path(), self._offered(), self._busy, self._clock, self._around
        )

    def _recognize(self) -> None:
        """Ask for the serial: what was kept is of use only for the same array."""
        if not self.serial:
            raise _no_eternus(cim.PRODUCT_CLASS)

    def _service_path(self) -> Any:
        if self._service is None:
            self._recognize()
            self._service = paths.from_uri(self._kept.get("service", ""))
        if self._service is None:
            found = self._connection.names(cim.SERVICE_CLASS)
            if not found:
                raise _no_eternus(cim.SERVICE_CLASS)
            self._service = found[0]
        return self._service

    def _offered(self) -> Offer:
        if self._offer is None:
            self._recognize()
            kept = Offer.from_json(self._kept.get("capabilities", ""))
            self._offer, self._believed = kept or self._ask_offer(), kept is not None
        return self._offer

    def _ask_offer(self) -> Offer:
        found = self._connection.associated(
            self._service_path(), cim.CAPABILITIES_ASSOCIATION, cim.CAPABILITIES_CLASS, _OFFER
        )
        if not found:
            return Offer(frozenset(), frozenset())
        instance = found[0]
        with self._connection.understood():
            types, *others = (values.numbers(instance.get(name), name) for name in _OFFER)
        actions = frozenset[int]().union(*others)
        offer = Offer(types, actions)
        mirror = offer.replication_type(CopyType.EC) or offer.replication_type(CopyType.REC)
        return Offer(
            types,
            actions,
            self._ask_operations(instance.path, offer.replication_type(CopyType.OPC)),
            self._ask_operations(instance.path, mirror),
            self._ask_maximum(instance.path, min(types)) if types else 0,
        )

    def _ask_operations(self, path: Any, kind: Optional[cim.ReplicationType]) -> frozenset[int]:
        if kind is None:
            return frozenset()
        answer = self._connection.ask(path, "GetSupportedOperations", ReplicationType=_uint16(kind))
        known = answer.out.get("SupportedOperations") if answer.code == codes.OK else None
        with self._connection.understood():
            return values.numbers(known, "SupportedOperations")

    def _ask_maximum(self, path: Any, kind: int) -> int:
        answer = self._connection.ask(
            path, "GetSupportedMaximum", ReplicationType=_uint16(kind), Component=_uint16(cim.TARGETS_PER_SOURCE)
        )
        with self._connection.understood():
            return values.whole(answer.out.get("MaxValue"), "MaxValue") if answer.code == codes.OK else 0

    def _system(self) -> str:
        return paths.system_name(self._service_path())

    def _array_of(self, path: Any, other: Any, ours: str) -> str:
        name, its = paths.system_name(path), paths.system_name(other)
        if name in (its, ours) or (its != ours and name == self._system()):
            return ours
        return name

    def _element(self, volume: Volume) -> Any:
        return paths.path_of(volume, self._system() if not volume.path else "")

    def _session_path(self, pair: Pair) -> Any:
        listed = self._session_paths.get(pair.key)
        if listed is not None:
            return rows.real(listed)
        return paths.session_path(self._element(pair.source), self._element(pair.target))


def _uint16(value: int) -> Any:
    import pywbem

    return pywbem.Uint16(int(value))


def _error(act: Act, copy_type: CopyType, pair: Pair, ending: Ending) -> Optional[BackupError]:
    code = codes.OK if ending.code == codes.JOB_STARTED else ending.code
    return codes.error_for(
        code,
        act,
        f"{copy_type.value} {pair.source.name} -> {pair.target.name}",
        description=ending.description,
        source=str(pair.source.ref),
        target=str(pair.target.ref),
    )


def _unsupported(copy_type: CopyType, offered: Capabilities, pair: Pair) -> BackupError:
    names = ", ".join(sorted(kind.value for kind in offered.copies)) or "none"
    return BackupError(
        ErrorClass.UNSUPPORTED_COPY,
        f"The array does not offer {copy_type.value} for {pair.source.name} -> {pair.target.name}; it offers {names}.",
        next_step="Choose a copy that the array offers, or register the licence for it on the array.",
        offered=sorted(kind.value for kind in offered.copies),
        source=str(pair.source.ref),
        target=str(pair.target.ref),
    )


def _no_eternus(class_name: str) -> BackupError:
    return BackupError(
        ErrorClass.ARRAY_ERROR,
        f"What answers shows no {class_name} in {cim.NAMESPACE}: it does not look like an ETERNUS.",
        next_step="Check that host and port lead to the array's SMI-S agent.",
    )
