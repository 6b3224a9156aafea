# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which TVs a request means: named ones, members of consistency groups, or all (behaviour.md §3)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Optional

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.observe import transaction_volumes
from ansible_collections.eternus.backup.plugins.module_utils._catalog.interface import Records
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import Method, Policy
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


def grouped_volumes(
    records: Records,
    names: Sequence[str],
    groups: Sequence[str],
    *,
    whole: bool = False,
    methods: Optional[Collection[Method]] = None,
) -> tuple[VolumeRef, ...]:
    """Return the named TVs and the members of the named groups; all with a policy when nothing is named.

    :param whole: a member brings its whole group.
    :param methods: where nothing is named, only TVs of these methods.
    """
    if names and not groups and not whole:
        return transaction_volumes(records, names)
    policies = _policies(records, names, groups)
    known = {policy.group for policy in policies if policy.group}
    missing = [group for group in groups if group not in known]
    if missing:
        raise BackupError(
            ErrorClass.INVALID_OPTION,
            f"No policy names a group {', '.join(missing)}.",
            next_step=f"Groups are: {', '.join(sorted(known)) or 'none'}. Declare members with eternus_policy.",
            groups=missing,
        )
    if not names and not groups:
        return tuple(policy.tv for policy in policies if methods is None or policy.method in methods)
    found = list(transaction_volumes(records, names)) if names else []
    wanted = set(groups)
    if whole:
        wanted.update(policy.group for policy in policies if policy.group and policy.tv in found)
    found.extend(policy.tv for policy in policies if policy.group in wanted)
    return tuple(dict.fromkeys(found))


def _policies(records: Records, names: Sequence[str], groups: Sequence[str]) -> Sequence[Policy]:
    """Read the policies of the named volumes and of every group that is concerned; all when one is not there."""
    if not names and not groups:
        return records.policies()
    named = records.policies([one.ref for one in records.find_volumes(names).values()])
    wanted = {*groups, *(policy.group for policy in named if policy.group)}
    members = records.policies(groups=wanted)
    if not wanted <= {policy.group for policy in members}:
        return records.policies()
    found = {policy.tv: policy for policy in (*named, *members)}
    return [found[tv] for tv in sorted(found)]
