#!/bin/sh
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# disk.sh DIRECTORY up|down: a file system of our own where this user may mount one, else a stand-in.
# Up prints its mount point and writes DIRECTORY/fsfreeze, which notes each call in DIRECTORY/log (what, and when), fails
# as fsfreeze does when nothing is to be thawed, and freezes really where it can.
set -eu
here=$1

if [ "$2" = down ]; then
  if [ -f "$here/loop" ]; then
    fsfreeze -u "$here/mnt" 2> /dev/null || true
    umount "$here/mnt" 2> /dev/null || true
    losetup -d "$(cat "$here/loop")"
  fi
  exit 0
fi

mkdir -p "$here/mnt"
: > "$here/log"
mount=/dev/shm real=false
if [ "$(id -u)" = 0 ] && truncate -s 8M "$here/image" && mkfs.ext4 -q "$here/image" 2> /dev/null \
  && losetup -f --show "$here/image" > "$here/loop.new" 2> /dev/null; then
  mv "$here/loop.new" "$here/loop"
  if mount "$(cat "$here/loop")" "$here/mnt" 2> /dev/null; then
    mount="$here/mnt" real=true
  fi
fi
cat > "$here/fsfreeze" << END_OF_PROGRAM
#!/bin/sh
if $real; then
  fsfreeze "\$@" || exit
elif [ "\$1" = -f ]; then
  mkdir "$here/frozen" || exit
else
  rmdir "$here/frozen" || exit
fi
echo "\$1 \$(date -u +%Y-%m-%dT%H:%M:%S.%N)" >> "$here/log"
if [ "\$1" = -f ] && [ -f "$here/slow" ]; then
  until grep -q "^-u" "$here/log"; do sleep 0.1; done
fi
END_OF_PROGRAM
chmod +x "$here/fsfreeze"
echo "$mount"
