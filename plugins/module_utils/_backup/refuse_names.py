# Copyright (c) 2026, eternus.backup contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Refusals of names that mean no volume, or one of another role: every module has them, most have no others."""

from __future__ import annotations

from ansible_collections.eternus.backup.plugins.module_utils._array.model import VolumeRef
from ansible_collections.eternus.backup.plugins.module_utils._backup.world import World
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass


def refuse_not_registered(names: list[str]) -> BackupError:
    """Volumes that nobody registered."""
    return BackupError(
        ErrorClass.NOT_REGISTERED,
        f"Not registered: {', '.join(names)}.",
        next_step="Register the volumes with eternus_volume, or correct the names.",
        volumes=names,
    )


def refuse_wrong_role(world: World, ref: VolumeRef, wanted: str) -> BackupError:
    """A volume that is registered for something else."""
    role = world.volumes[ref].role.value
    return BackupError(
        ErrorClass.ROLE_CONFLICT,
        f"Volume {world.name(ref)} is registered as a {role} volume, not as a {wanted} volume.",
        next_step="Name another volume, or change its role with eternus_volume while nothing uses it.",
        volume=world.name(ref),
        role=role,
    )
