#!/usr/bin/env bash
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The main job over a simulated array, from end to end. Needs .venv (make env); everything else lies in build/demo.
# KEEP=1 leaves the array running and says how to talk to it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD demo=$PWD/build/demo python=$PWD/.venv/bin/python driver=''

while read -r name; do # nothing of the user's Ansible, and no other array than ours
  case $name in ANSIBLE_* | ETERNUS_* | PYTHONPATH | PYTHONDONTWRITEBYTECODE) unset "$name" ;; esac
done < <(compgen -e)

array() { # stop the simulated array of the demo, if it runs
  [ -d "$demo/array" ] || return 0
  PYTHONPATH="$root/roles/simulated_array/files" "$python" -m eternus_sim stop --directory "$demo/array" || true
}

# shellcheck disable=SC2329 # the trap calls it
clean() {
  local status=$?
  trap - EXIT INT TERM HUP
  if [ -n "$driver" ] && kill -TERM "$driver" 2> /dev/null; then wait "$driver" || true; fi
  if [ "${KEEP:-0}" != 1 ]; then
    array
    rm -rf "$demo/array" "$demo/tape" "$demo/tmp"
  fi
  exit "$status"
}
trap clean EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

array
rm -rf "$demo" build/demo.json
mkdir -p "$demo"/{home,tmp,logs,vars,results}
: > "$demo/ansible.cfg"
export HOME=$demo/home TMPDIR=$demo/tmp LC_ALL=C.UTF-8 PATH=$root/.venv/bin:$PATH
export ANSIBLE_HOME=$demo/home/.ansible ANSIBLE_CONFIG=$demo/ansible.cfg ANSIBLE_COLLECTIONS_PATH=$demo/collections
export ANSIBLE_LOCAL_TEMP=$demo/tmp ANSIBLE_REMOTE_TMP=$demo/tmp ANSIBLE_RETRY_FILES_ENABLED=0 ANSIBLE_NOCOLOR=1

started=$SECONDS
printf '== The collection, built and installed\n'
"$python" scripts/stage.py > "$demo/logs/build.log" 2>&1 || { cat "$demo/logs/build.log" && exit 1; }
version=$(sed -n 's/^version: *//p' galaxy.yml)
ansible-galaxy collection install --offline -p "$demo/collections" "build/eternus-backup-$version.tar.gz" \
  > "$demo/logs/install.log" 2>&1 || { cat "$demo/logs/install.log" && exit 1; }
tail -n 1 "$demo/logs/install.log"

"$python" scripts/demo/main.py "$demo" < /dev/null &
driver=$!
status=0
wait "$driver" || status=$?
driver=''
printf 'It took %s s. Logs: build/demo/logs, figures: build/demo.json\n' "$((SECONDS - started))"
exit "$status"
