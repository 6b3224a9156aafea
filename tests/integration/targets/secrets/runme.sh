#!/usr/bin/env bash
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# No secret in anything that a run leaves behind, nor in a process list (SECURITY.md, Secrets).
set -euo pipefail

exec python job.py "$OUTPUT_DIR"
