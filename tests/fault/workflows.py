# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All jobs that are killed, by name."""

from __future__ import annotations

from ansible_collections.eternus.backup.tests.fault.crash import Workflow
from ansible_collections.eternus.backup.tests.fault.workflows_disk import DISK
from ansible_collections.eternus.backup.tests.fault.workflows_rest import REST
from ansible_collections.eternus.backup.tests.fault.workflows_tape import TAPE

WORKFLOWS: dict[str, Workflow] = {one.name: one for one in (*DISK, *TAPE, *REST)}
