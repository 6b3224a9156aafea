#!/bin/sh
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# thaw.sh FSFREEZE MOUNT_POINT PID START: thaw what freeze.sh froze, then end its watchdog. Prints who thawed it.
# Where thawing fails the watchdog lives on, and tries again.
set -u
fsfreeze=$1 mount=$2 pid=$3 start=$4

alive() { # a process number may be used again: the start tells them apart
  # shellcheck disable=SC2046
  set -- $(cut -d ' ' -f 3,22 "/proc/$pid/stat" 2> /dev/null)
  [ "$#" -eq 2 ] && [ "$1" != Z ] && [ "$2" = "$start" ]
}

if alive; then
  if "$fsfreeze" -u "$mount"; then
    kill "$pid" 2> /dev/null
    echo "thawed"
    exit 0
  fi
  alive && exit 1
fi
# The watchdog is gone, and has thawed. Should somebody have killed it, the lock is free and we make sure.
exec 9< "$mount"
flock -n 9 && "$fsfreeze" -u "$mount" 2> /dev/null
echo "thawed by the watchdog"
