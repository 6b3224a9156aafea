# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A catalog as schema version 3 left it: the statements that it sent to PostgreSQL, word for word, and some rows.

Frozen, as version1.py is.
"""

from __future__ import annotations

from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.catalog import version1, version2

TABLES = """
CREATE TABLE eternus_arrays ( serial TEXT NOT NULL, model TEXT NOT NULL, seen_at BIGINT NOT NULL, known TEXT NOT NULL,
  PRIMARY KEY (serial) );
CREATE TABLE eternus_backups ( id TEXT NOT NULL, tv_array TEXT NOT NULL, tv_device TEXT NOT NULL, point_in_time BIGINT
  NOT NULL, method TEXT NOT NULL, copy_type TEXT NOT NULL, suspend BOOLEAN NOT NULL, size BIGINT NOT NULL, key TEXT
  NOT NULL, group_id TEXT NOT NULL, hold BOOLEAN NOT NULL, consistent BOOLEAN, skew_ms BIGINT, PRIMARY KEY (id) );
CREATE INDEX eternus_backups_by_id ON eternus_backups (tv_array, tv_device, point_in_time, id);
CREATE TABLE eternus_journal ( id TEXT NOT NULL, operation_id TEXT NOT NULL, kind TEXT NOT NULL, tv_array TEXT NOT
  NULL, tv_device TEXT NOT NULL, payload TEXT NOT NULL, state TEXT NOT NULL, written_at BIGINT NOT NULL, sequence
  BIGSERIAL NOT NULL, settled_at BIGINT, PRIMARY KEY (sequence), UNIQUE (id) );
CREATE INDEX eternus_journal_by_sequence ON eternus_journal (sequence) WHERE state = 'intended';
CREATE TABLE eternus_leases ( name TEXT NOT NULL, owner TEXT NOT NULL, token BIGINT NOT NULL, acquired_at BIGINT NOT
  NULL, expires_at BIGINT NOT NULL, PRIMARY KEY (name) );
CREATE TABLE eternus_pools ( name TEXT NOT NULL, kind TEXT NOT NULL, created_at BIGINT NOT NULL, append BOOLEAN
  DEFAULT true NOT NULL, PRIMARY KEY (name) );
CREATE TABLE eternus_restore_tests ( id TEXT NOT NULL, backup_id TEXT NOT NULL, tv_array TEXT NOT NULL, tv_device TEXT
  NOT NULL, target_array TEXT NOT NULL, target_device TEXT NOT NULL, source TEXT NOT NULL, copy BIGINT NOT NULL,
  tested_at BIGINT NOT NULL, ok BOOLEAN NOT NULL, size BIGINT NOT NULL, sha256 TEXT NOT NULL, message TEXT NOT NULL,
  PRIMARY KEY (id) );
CREATE INDEX eternus_restore_tests_by_tested_at ON eternus_restore_tests (tv_array, tv_device, tested_at);
CREATE TABLE eternus_schema ( id BIGINT NOT NULL, version BIGINT NOT NULL, last_token BIGINT NOT NULL, PRIMARY KEY
  (id) );
CREATE TABLE eternus_undefined_targets ( volume_array TEXT NOT NULL, volume_device TEXT NOT NULL, backup_id TEXT NOT
  NULL, since BIGINT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (volume_array, volume_device) );
CREATE TABLE eternus_used_keys ( tv_array TEXT NOT NULL, tv_device TEXT NOT NULL, key TEXT NOT NULL, backup_id TEXT
  NOT NULL, PRIMARY KEY (tv_array, tv_device, key) );
CREATE TABLE eternus_volumes ( ref_array TEXT NOT NULL, ref_device TEXT NOT NULL, name TEXT NOT NULL, blocks BIGINT
  NOT NULL, block_size BIGINT NOT NULL, thin BOOLEAN NOT NULL, path TEXT NOT NULL, role TEXT NOT NULL, registered_at
  BIGINT NOT NULL, unknown BOOLEAN NOT NULL, PRIMARY KEY (ref_array, ref_device) );
CREATE INDEX eternus_volumes_by_name ON eternus_volumes (name);
CREATE INDEX eternus_volumes_by_ref_device ON eternus_volumes (ref_device);
CREATE TABLE eternus_allocations ( bv_array TEXT NOT NULL, bv_device TEXT NOT NULL, tv_array TEXT NOT NULL, tv_device
  TEXT NOT NULL, copy_type TEXT, allocated_at BIGINT NOT NULL, suspended_at BIGINT, PRIMARY KEY (bv_array, bv_device),
  FOREIGN KEY(bv_array, bv_device) REFERENCES eternus_volumes (ref_array, ref_device) );
CREATE INDEX eternus_allocations_by_tv_device ON eternus_allocations (tv_array, tv_device);
CREATE TABLE eternus_cartridges ( barcode TEXT NOT NULL, uuid TEXT NOT NULL, pool TEXT, labelled_at BIGINT, capacity
  BIGINT NOT NULL, bytes_written BIGINT NOT NULL, files BIGINT NOT NULL, "full" BOOLEAN NOT NULL, suspect TEXT NOT
  NULL, retired BOOLEAN NOT NULL, protected_until BIGINT, location TEXT DEFAULT '' NOT NULL, exported_at BIGINT,
  unknown BOOLEAN DEFAULT false NOT NULL, PRIMARY KEY (barcode), FOREIGN KEY(pool) REFERENCES eternus_pools (name) );
CREATE INDEX eternus_cartridges_by_pool ON eternus_cartridges (pool);
CREATE TABLE eternus_policies ( tv_array TEXT NOT NULL, tv_device TEXT NOT NULL, generations BIGINT NOT NULL, method
  TEXT NOT NULL, suspend BOOLEAN NOT NULL, media TEXT NOT NULL, tape_pool TEXT NOT NULL, tape_generations BIGINT NOT
  NULL, tape_days BIGINT NOT NULL, tape_copies BIGINT NOT NULL, interval_days BIGINT NOT NULL, sync_slot TEXT NOT
  NULL, safe_rotation BOOLEAN NOT NULL, "group" TEXT NOT NULL, pinned TEXT NOT NULL, mounted_on TEXT NOT NULL,
  mount_point TEXT NOT NULL, PRIMARY KEY (tv_array, tv_device), FOREIGN KEY(tv_array, tv_device) REFERENCES
  eternus_volumes (ref_array, ref_device) );
CREATE TABLE eternus_tape_copies ( number BIGINT NOT NULL, state TEXT NOT NULL, pool TEXT NOT NULL, queued_at BIGINT
  NOT NULL, started_at BIGINT, written_at BIGINT, bytes_done BIGINT NOT NULL, bytes_total BIGINT NOT NULL, sha256 TEXT
  NOT NULL, error TEXT NOT NULL, verified_at BIGINT, verified_ok BOOLEAN, owner TEXT NOT NULL, backup_id TEXT NOT
  NULL, PRIMARY KEY (number, backup_id), FOREIGN KEY(backup_id) REFERENCES eternus_backups (id) ON DELETE CASCADE );
CREATE INDEX eternus_tape_copies_by_state ON eternus_tape_copies (backup_id, state) WHERE state != 'written';
CREATE TABLE eternus_disk_copies ( bv_array TEXT NOT NULL, bv_device TEXT NOT NULL, state TEXT NOT NULL, written_at
  BIGINT NOT NULL, backup_id TEXT NOT NULL, PRIMARY KEY (backup_id), FOREIGN KEY(backup_id) REFERENCES eternus_backups
  (id) ON DELETE CASCADE, FOREIGN KEY(bv_array, bv_device) REFERENCES eternus_allocations (bv_array, bv_device),
  UNIQUE (bv_array, bv_device) );
CREATE TABLE eternus_readers ( bv_array TEXT NOT NULL, bv_device TEXT NOT NULL, backup_id TEXT NOT NULL, purpose TEXT
  NOT NULL, owner TEXT NOT NULL, since BIGINT NOT NULL, PRIMARY KEY (bv_array, bv_device, owner), FOREIGN
  KEY(bv_array, bv_device) REFERENCES eternus_allocations (bv_array, bv_device) );
CREATE TABLE eternus_tape_parts ( sequence BIGINT NOT NULL, barcode TEXT NOT NULL, data_file BIGINT NOT NULL, "offset"
  BIGINT NOT NULL, size BIGINT NOT NULL, sha256 TEXT NOT NULL, data_block BIGINT NOT NULL, backup_id TEXT NOT NULL,
  number BIGINT NOT NULL, PRIMARY KEY (sequence, backup_id, number), FOREIGN KEY(backup_id, number) REFERENCES
  eternus_tape_copies (backup_id, number) ON DELETE CASCADE );
CREATE INDEX eternus_tape_parts_by_barcode ON eternus_tape_parts (barcode);
"""


def _rows() -> list[tuple[str, str]]:
    """Return the rows of version 2 as its upgrade filled them, and what version 3 wrote itself."""
    more = {"pools": "true", "cartridges": "NULL, '', NULL, false"}
    rows = [("schema", "1, 3, 41"), *version2.rows()[1:]]
    rows = [(table, f"{values}, {more[table]}" if table in more else values) for table, values in rows]
    away = f"'WK0003L8', 'u-3', NULL, {version1.AT}, 20000000, 5, 7, false, '', false"
    return [*rows, ("cartridges", f"{away}, {version1.AT + 9}, 'the safe', {version1.AT + 5}, true")]


def make(url: str) -> None:
    """Make a catalog of schema version 3 with its rows, without any of today's code."""
    filled = [f"INSERT INTO eternus_{table} VALUES ({values})" for table, values in _rows()]
    version1.asked(url, *filter(str.strip, TABLES.split(";")), *filled)
