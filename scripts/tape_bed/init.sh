#!/usr/bin/env bash
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The guest's first process: mounts, modules, the tape target, then the command; then the guest is switched off.
# $BED comes from the kernel's command line: the directory that boot.py prepared.
off() {
  printf 'TAPE-BED-END %s\n' "$1"
  echo o > /proc/sysrq-trigger
  sleep 60
}

export PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 LC_ALL=C.UTF-8
# First and whatever is there: else the host's own would show through.
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t tmpfs -o size=100%,mode=755 tmpfs /run &&
  mkdir -p /run/{home,tmp,out,lock} /dev/{shm,pts} && chmod 1777 /run/tmp && mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 1
mount -t devpts devpts /dev/pts
# shellcheck source=/dev/null
. "$BED/environment"
command=$(cat "$BED/command")
mount -t hostfs -o "$BED_SHARED" none /run/out
export PATH=$BED_PATH LD_LIBRARY_PATH=$BED_LIBRARIES HOME=/run/home TMPDIR=/run/tmp BED_OUT=/run/out
ip link set lo up
for module in st sg ch iscsi_tcp loop; do modprobe -d "$BED_MODULES" "$module"; done
cd /run/home || exit 1

if [ "$BED_TARGET" != none ]; then
  # shellcheck source=/dev/null
  . "$BED_ROOT/scripts/tape_bed/target_$BED_TARGET.sh" > /run/target.log 2>&1 || {
    cat /run/target.log
    off 96
  }
  for _turn in $(seq 200); do
    [ -e /dev/nst1 ] && [ -e /sys/class/scsi_changer/sch0/device/scsi_generic ] && break
    sleep 0.05
  done
  ETERNUS_TAPE_BED=/dev/$(ls /sys/class/scsi_changer/sch0/device/scsi_generic) || off 96
  export ETERNUS_TAPE_BED BED_TARGET
fi
printf 'TAPE-BED-BEGIN\n'
bash -c "$command"
off $?
