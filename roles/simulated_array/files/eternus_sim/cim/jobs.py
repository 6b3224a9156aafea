# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs: whether a method answers at once or begins one, and jobs as CIM instances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable, Optional

from ..core.model import Job, JobState, Refused
from . import xml_out
from .methods import Args, Methods, Result
from .repository import ETERNUS, Association, Pair, Provider, Repository
from .storage import ON, VOLUME, Storage, is_a
from .values import Item, Path

JOB = "FUJITSU_ConcreteJob"
STARTED = 4096
WORDS = {2: "New", 3: "Starting", 4: "Running", 7: "Completed", 8: "Terminated", 9: "Killed", 10: "Exception"}
KEPT = 10_000


class Jobs:
    """Providers of jobs, and the one place where the knob ``jobs`` counts."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._about: dict[str, tuple[str, list[str]]] = {}  # job -> service, DeviceIDs

    def run(
        self,
        name: str,
        service: str,
        act: Callable[[], Iterable[object]],
        outs: dict[str, Any],
        devices: Sequence[str],
    ) -> Result:
        """Acts and answers 0; or begins a job that acts, and answers 4096. Raises Refused, unless it is a job.

        ``outs`` come back with 0; with a job only what is there already, the new volumes.
        """
        if self._storage.array.knobs.jobs != "always":
            act()
            return 0, outs
        job = self._storage.array.submit(name, act)
        self._keep(job, service, devices)
        ready = {key: value for key, value in outs.items() if key in {"TheElement", "TargetElement", "Size"}}
        return STARTED, {**ready, "Job": self._path(job)}

    def run_now(self, name: str, service: str, act: Callable[[], tuple[dict[str, Any], str]]) -> Result:
        """As run, for acts whose result comes back although a job starts: it acts at once, the job only tells."""
        if self._storage.array.knobs.jobs != "always":
            return 0, act()[0]
        outs: dict[str, Any] = {}
        device = ""
        failure: Optional[Refused] = None
        try:
            outs, device = act()
        except Refused as refused:
            failure = refused

        def tell() -> list[object]:
            if failure is not None:
                raise failure
            return [device]

        return self.run(name, service, tell, outs, [device] if device else [])

    def _keep(self, job: Job, service: str, devices: Sequence[str]) -> None:
        self._about[job.job_id] = (service, list(devices))
        if len(self._about) > KEPT:
            self._about.pop(next(iter(self._about)))

    # Instances

    @staticmethod
    def _path(job: Job) -> Path:
        return Path(JOB, {"InstanceID": f"FUJITSU:JOB:{job.job_id}"}, ETERNUS)

    def _jobs(self) -> list[Job]:
        with self._storage.array.domain.lock:
            return list(self._storage.array.jobs.values())

    def _job_of(self, path: Path) -> Optional[Job]:
        return self._storage.array.jobs.get(path.text("InstanceID").rpartition(":")[2])

    def _item(self, job: Job) -> Item:
        return Item(self._path(job), lambda: self._values(job))

    @staticmethod
    def _values(job: Job) -> dict[str, Any]:
        state = int(job.state)
        return {
            **ON,
            "Name": job.name,
            "ElementName": job.name,
            "JobState": state,
            "JobStatus": WORDS.get(state, ""),
            "PercentComplete": job.percent,
            "ErrorCode": job.error_code,
            "ErrorDescription": job.error_text,
            "TimeSubmitted": job.started,
            "StartTime": job.started,
            "DeleteOnCompletion": True,
            "OperationalStatus": [6] if state == JobState.EXCEPTION else [2],
        }

    def _find(self, path: Path) -> Optional[Item]:
        job = self._job_of(path)
        return None if job is None else self._item(job)

    def _some(self, path: Optional[Path]) -> list[Job]:
        if path is None:
            return self._jobs()
        job = self._job_of(path) if is_a(path, JOB) else None
        return [] if job is None else [job]

    def _owners(self, owner: Optional[Path], path: Optional[Path]) -> Iterator[Pair]:
        for job in self._some(path):
            service = self._about.get(job.job_id, ("", []))[0]
            if service and (owner is None or is_a(owner, service)):
                yield self._storage.named_path(service), self._path(job), {}

    def _affected(self, element: Optional[Path], path: Optional[Path]) -> Iterator[Pair]:
        if element is not None and not is_a(element, VOLUME):
            return
        wanted = None if element is None else element.text("DeviceID").upper()
        for job in self._some(path):
            for device_id in self._about.get(job.job_id, ("", []))[1]:
                if wanted in {None, device_id} and device_id in self._storage.array.volumes:
                    yield self._storage.volume_path(device_id), self._path(job), {}

    # Methods

    def _error(self, path: Path) -> Optional[str]:
        """The embedded CIM_Error of a job that failed."""
        job = self._job_of(path)
        if job is None or not job.error_code:
            return None
        values = (
            ("CIMStatusCode", "uint32", 1),
            ("ErrorType", "uint16", 4),
            ("PerceivedSeverity", "uint16", 4),
            ("MessageID", "string", str(job.error_code)),
            ("Message", "string", job.error_text),
            ("OwningEntity", "string", "FUJITSU"),
        )
        parts = [
            f'<PROPERTY NAME="{name}" TYPE="{kind}">{xml_out.value_xml(value)}</PROPERTY>'
            for name, kind, value in values
        ]
        return f'<INSTANCE CLASSNAME="CIM_Error">{"".join(parts)}</INSTANCE>'

    def _get_error(self, path: Path, _args: Args) -> Result:
        return 0, {"Error": self._error(path)}

    def _get_errors(self, path: Path, _args: Args) -> Result:
        error = self._error(path)
        return 0, {"Errors": [] if error is None else [error]}

    def register(self, repository: Repository) -> None:
        """Adds the providers."""
        repository.add(Provider(JOB, lambda: (self._item(job) for job in self._jobs()), find=self._find))
        repository.add(Association("FUJITSU_OwningJobElement", ("OwningElement", "OwnedElement"), self._owners))
        ends = ("AffectedElement", "AffectingElement")
        repository.add(Association("FUJITSU_AffectedJobElement", ends, self._affected))

    def offer(self, methods: Methods) -> None:
        """Offers GetError and GetErrors."""
        methods.add(JOB, "GetError", self._get_error)
        methods.add(JOB, "GetErrors", self._get_errors)
