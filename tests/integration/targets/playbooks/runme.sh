#!/usr/bin/env bash
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The playbooks by their FQCN: demo alone, then the others on its array, reached by variables and by the environment.
set -euo pipefail

files=$(cd ../../../../roles/simulated_array/files && pwd)
demo=$OUTPUT_DIR/demo
trap 'PYTHONPATH=$files python -m eternus_sim stop --directory "$demo/array"' EXIT

play() { ansible-playbook -i "$INVENTORY_PATH" "$@"; }
refused() { # a class, then what must be refused with it
  local class=$1
  shift
  if play "$@" > "$OUTPUT_DIR/refused.log" 2>&1; then cat "$OUTPUT_DIR/refused.log" && return 1; fi
  grep -q "\"error_class\": \"$class\"" "$OUTPUT_DIR/refused.log" || { cat "$OUTPUT_DIR/refused.log" && return 1; }
}

play eternus.backup.demo -e demo_directory="$demo" -e demo_keep=true

python - "$demo" > "$OUTPUT_DIR/vars.json" << 'END'
import json, pathlib, sys
demo = pathlib.Path(sys.argv[1])
at = json.loads((demo / "array/endpoints.json").read_text())
print(json.dumps({
    "eternus_host": at["host"], "eternus_port": at["https_port"], "eternus_username": at["user"],
    "eternus_password": pathlib.Path(at["password_file"]).read_text().strip(), "eternus_ca_path": at["ca_file"],
    "eternus_catalog": f"sqlite:///{demo}/catalog.db", "eternus_tape_library": str(demo / "tape"),
    "eternus_device_dir": at["device_dir"], "synchronize_poll_interval": 0.2, "restore_poll_interval": 0.2,
}))
END

play eternus.backup.configure -e @"$OUTPUT_DIR/vars.json" -e '{"configure_transaction_volumes": ["oradata"]}'
refused not_equivalent eternus.backup.backup -e @"$OUTPUT_DIR/vars.json"
play eternus.backup.synchronize -e @"$OUTPUT_DIR/vars.json"
play eternus.backup.backup -e @"$OUTPUT_DIR/vars.json" -e backup_key=second
play eternus.backup.tape -e @"$OUTPUT_DIR/vars.json"
refused confirmation_required eternus.backup.restore -e @"$OUTPUT_DIR/vars.json" -e restore_volume=oradata
play eternus.backup.restore -e @"$OUTPUT_DIR/vars.json" -e restore_volume=oradata -e restore_target=scratch \
  -e restore_generation=2

set -a # the same by the environment
eval "$(python -c '
import json, shlex, sys
for name, value in json.load(open(sys.argv[1])).items():
    if name.startswith("eternus_"):
        print(name.upper() + "=" + shlex.quote(str(value)))' "$OUTPUT_DIR/vars.json")"
play eternus.backup.restore -e restore_volume=oradata -e restore_source=tape -e restore_confirm=oradata
