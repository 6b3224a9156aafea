# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claim a tape copy as another host does, and give its lease so many seconds, counted from then on or (negative) past.

Usage: claim.py CATALOG_URL BACKUP_ID SECONDS
"""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.path[:0] = os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(Path.cwd())).split(":")

from ansible_collections.eternus.backup.plugins.module_utils._catalog.connect import open_catalog

OWNER = "tape02:77:1234:4026531836-00000000"

url, backup_id, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
catalog = open_catalog(url)
with catalog.begin() as records:
    records.drop_leases([lease for lease in records.leases() if lease.owner == OWNER])
    at = datetime.now(timezone.utc) + timedelta(seconds=min(seconds, 0))
    records.claim_tape_copy(backup_id, 1, OWNER, at, abs(seconds) if seconds > 0 else 1)
catalog.close()
