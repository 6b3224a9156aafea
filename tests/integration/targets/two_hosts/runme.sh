#!/usr/bin/env bash
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Two hosts, one catalog in a PostgreSQL database: the storage server backs up, the tape server works the queue off.
set -euo pipefail

binaries=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2> /dev/null | sort -V | tail -1)
database=$(mktemp -d /tmp/pg.XXXXXX) # a socket's path must be short
as=()
if [ "$(id -u)" = 0 ]; then # the server does not run as root
  as=(runuser -u postgres --)
  chown postgres "$database"
fi
control=("${as[@]}" "$binaries/pg_ctl" -D "$database/data" -w -s)
clean() {
  PYTHONPATH=$(cd ../../../../roles/simulated_array/files && pwd) python -m eternus_sim stop --directory "$OUTPUT_DIR/array" || true
  (cd / && "${control[@]}" -m immediate stop) || true
  rm -rf "$database"
}
trap clean EXIT

(
  cd /
  "${as[@]}" "$binaries/initdb" -A trust --no-sync -U eternus -D "$database/data" > /dev/null
  "${control[@]}" -l "$database/log" -o "-k $database -c listen_addresses='' -c fsync=off" start
)

# Two servers in name, and in what they know: each has a home of its own.
cat > "$OUTPUT_DIR/hosts" << END_OF_INVENTORY
[all]
storage
tape01

[all:vars]
ansible_connection=local
ansible_python_interpreter={{ ansible_playbook_python }}
ansible_remote_tmp=$OUTPUT_DIR/{{ inventory_hostname }}
END_OF_INVENTORY

ansible-playbook -i "$OUTPUT_DIR/hosts" files/play.yml -e output_dir="$OUTPUT_DIR" \
  -e two_hosts_catalog="postgresql+psycopg://eternus@/postgres?host=$database"
