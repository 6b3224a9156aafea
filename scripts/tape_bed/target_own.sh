# shellcheck shell=bash
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Sourced by init.sh: the tests' own target. BED_CAPACITY: MiB a cartridge.
mkdir -p /run/bed
export BED_CONTROL=/run/bed/control BED_CARTRIDGES=/run/bed/cartridges
PYTHONPATH=$BED_ROOT/.cache/tree PYTHONUNBUFFERED=1 "$BED_PYTHON" -m ansible_collections.eternus.backup.tests.tape_bed \
  --capacity "${BED_CAPACITY:-64}" /run/bed > /run/bed/log 2>&1 &
for _turn in $(seq 400); do
  grep -q ready /run/bed/log && break
  sleep 0.05
done
cat /run/bed/log
grep -q ready /run/bed/log &&
  timeout 30 iscsistart -i iqn.2026-01.backup.eternus:host -t iqn.2026-01.backup.eternus:tape-bed -g 1 -a 127.0.0.1 -p 3260
