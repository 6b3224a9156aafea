# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""From the options of eternus_generation to what is asked of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.eternus.backup.plugins.module_utils._backup.generation import GenerationRequest, Wanted
from ansible_collections.eternus.backup.plugins.module_utils._backup.generation_choose import Selection
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Media
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.plugins.module_utils._options import invalid
from ansible_collections.eternus.backup.plugins.module_utils._times import moment_of

_WHICH = ("generations", "backup_ids", "at", "before")


def generation_request(params: Mapping[str, Any]) -> GenerationRequest:
    """Return what is asked for; ``invalid_option`` where it is not said which backups, or of what volume.

    A list that came out empty of a template must never mean a whole history.
    """
    state, volumes = Wanted(params["state"]), tuple(params["volumes"])
    for name in ("generations", "backup_ids"):
        if params[name] is not None and not params[name]:
            raise invalid(name, params[name], "Give at least one, or leave it out.")
    given = [name for name in _WHICH if params[name] is not None]
    if state is Wanted.EXPIRED and given:
        raise invalid(given[0], params[given[0]], "Leave it out: the policies say which tape copies expire.")
    if state is not Wanted.EXPIRED and not volumes and "backup_ids" not in given:
        raise invalid("volumes", list(volumes), "Name the volumes whose backups are meant, or give backup_ids.")
    request = GenerationRequest(
        state=state,
        selection=Selection(
            volumes=volumes,
            generations=tuple(params["generations"] or ()),
            ids=tuple(params["backup_ids"] or ()),
            at=moment_of("at", params["at"]),
            before=moment_of("before", params["before"]),
        ),
        media=Media(params["media"]),
        drop_untaped=params["drop_untaped"],
        confirm=frozenset(params["confirm"]),
    )
    if request.needs_array and not params["host"]:
        raise BackupError(
            ErrorClass.INVALID_OPTION,
            "To delete disk copies the array must be asked, and host is not given.",
            next_step="Give host, username and password; or media: tape, which needs no array.",
            option="host",
        )
    return request
