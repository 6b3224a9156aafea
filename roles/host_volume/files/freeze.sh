#!/bin/sh
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# freeze.sh LIMIT FSFREEZE MOUNT_POINT: start a watchdog that thaws after LIMIT seconds, then freeze.
# Prints "frozen PID START" (the watchdog's process and when the kernel started it), or "not mounted".
set -u
limit=$1 fsfreeze=$2 mount=$3

say() { echo "$2" >&2; exit "$1"; }

case $mount in
  /*) [ -d "$mount" ] || say 2 "There is no directory $mount." ;;
  *) say 2 "$mount is not an absolute path." ;;
esac
command -v "$fsfreeze" > /dev/null || say 2 "There is no program $fsfreeze."
mountpoint -q "$mount" || { echo "not mounted"; exit 0; }

# The watchdog holds this lock for as long as it lives: nobody freezes what an older one may still thaw.
exec 9< "$mount"
flock -w 5 9 || say 3 "$mount is being frozen by somebody else."

# In a session of its own, with nothing of ours open: neither our end nor that of the connection reaches it. It goes on
# trying for a minute, for a freeze that took longer than the limit; where nobody of our process group lives any more who
# could still freeze, three times are enough, so that a run after one that was killed finds the lock free.
# shellcheck disable=SC2016
watchdog=$(setsid sh -c '
  trap "" HUP INT
  trap "kill \"\$waiting\"; exit 0" TERM
  sleep "$1" 9<&- < /dev/null > /dev/null 2>&1 &
  waiting=$!
  echo "$$ $(cut -d " " -f 22 "/proc/$$/stat")"
  exec < /dev/null > /dev/null 2>&1
  wait "$waiting"
  tries=0 alone=0
  until "$2" -u "$3" || [ "$tries" -ge 60 ] || [ "$alone" -ge 3 ]; do
    tries=$((tries + 1))
    sleep 1
    kill -0 "-$4" || alone=$((alone + 1))
  done
' eternus-watchdog "$limit" "$fsfreeze" "$mount" "$(cut -d ' ' -f 5 "/proc/$$/stat")" < /dev/null 2> /dev/null &)
[ -n "$watchdog" ] || say 4 "The watchdog could not be started; nothing is frozen."

"$fsfreeze" -f "$mount" || {
  code=$?
  kill "${watchdog%% *}"
  exit "$code"
}
if ! kill -0 "${watchdog%% *}" 2> /dev/null; then
  "$fsfreeze" -u "$mount"
  say 5 "Freezing $mount took longer than its watchdog lives; it is thawed."
fi
echo "frozen $watchdog"
