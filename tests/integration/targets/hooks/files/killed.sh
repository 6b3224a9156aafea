#!/bin/sh
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# killed.sh DIRECTORY INVENTORY PLAYBOOK ARGUMENTS...: kill a playbook (and all of its processes) that has frozen, then
# wait for the watchdog. Prints how often was thawed before the kill, and after the wait.
set -u
here=$1 inventory=$2 playbook=$3
shift 3

below() { # a process and all below it, each stopped before one asks for its children
  kill -STOP "$1" 2> /dev/null || true
  for child in $(pgrep -P "$1"); do below "$child"; done
  echo "$1"
}

: > "$here/log"
ansible-playbook -i "$inventory" "$playbook" "$@" > "$here/killed.log" 2>&1 &
tries=0
until grep -q '^-f' "$here/log" || [ "$tries" -ge 1200 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
before=$(grep -c '^-u' "$here/log")
# shellcheck disable=SC2046
kill -9 $(below "$!")
wait
tries=0
until grep -q '^-u' "$here/log" || [ "$tries" -ge 1200 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
echo "$before $(grep -c '^-f' "$here/log") $(grep -c '^-u' "$here/log")"
