#!/usr/bin/env bash
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Get the tape bed's Debian packages without root and print the directory below which they lie ("/": installed ones).
# Nothing is installed: open-iscsi and tgt would start daemons and bring udev along. They are unpacked below
# build/tape-bed/root, by apt lists of our own, so that stale or missing ones of the system do not matter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bed=$PWD/build/tape-bed root=$PWD/build/tape-bed/root
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C.UTF-8

tools='linux.uml iscsistart tgtd tgtadm tgtimg mtx mt-st sg_inq modprobe'
packages='user-mode-linux open-iscsi tgt mtx mt-st sg3-utils kmod'
# What a daemon or a package's scripts would need; the bed runs neither.
needless='^(udev|systemd|init|debconf|cdebconf|perl|lsb|sysvinit|.*-perl$|libc6$)'

# shellcheck disable=SC2086 # words are meant
if command -v $tools > /dev/null 2>&1 && [ "$(command -v $tools | wc -l)" = "$(wc -w <<< "$tools")" ]; then
  printf '/\n'
  exit
fi
mkdir -p "$bed"
exec 9> "$bed/lock"
flock 9
if [ -e "$root/.complete" ]; then
  printf '%s\n' "$root"
  exit
fi
for tool in apt-get apt-cache dpkg dpkg-query; do
  command -v "$tool" > /dev/null || {
    printf '%s is missing: the tape bed takes the packages of Debian (%s).\n' "$tool" "$packages" >&2
    exit 1
  }
done

mkdir -p "$bed"/apt/{state/lists/partial,cache/archives/partial,debs}
private=(-o "Dir::State=$bed/apt/state" -o "Dir::Cache=$bed/apt/cache" -o Dir::State::status=/var/lib/dpkg/status
  -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=2 -qq)
apt-get "${private[@]}" update >&2

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null)" = installed ]
}

dependencies() {
  apt-cache "${private[@]}" depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances "$1" | sed -n 's/^ *|\?\(Pre\)\?Depends: \([^<]*\)$/\2/p' | cut -d: -f1
}

wanted='' todo=$packages
while [ -n "$todo" ]; do
  next=''
  for name in $todo; do
    case " $wanted " in *" $name "*) continue ;; esac
    wanted+=" $name"
    for needed in $(dependencies "$name"); do
      if ! [[ $needed =~ $needless ]] && ! installed "$needed"; then next+=" $needed"; fi
    done
  done
  todo=$next
done

# shellcheck disable=SC2086 # words are meant
(cd "$bed/apt/debs" && rm -f -- *.deb && apt-get "${private[@]}" download $wanted >&2)
rm -rf "$root"
mkdir -p "$root"
for deb in "$bed"/apt/debs/*.deb; do
  dpkg -x "$deb" "$root"
done

# Some links lead to absolute names, which a bare host does not have.
for name in modprobe lsmod insmod rmmod modinfo depmod; do
  [ ! -e "$root/bin/kmod" ] || ln -sf ../bin/kmod "$root/sbin/$name"
done
[ -e "$root/bin/mt" ] || ln -s mt-st "$root/bin/mt" # a link that Debian makes when the package is installed

libraries=$(find "$root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
for tool in $tools; do
  file=$(find "$root/sbin" "$root/bin" "$root/usr/sbin" "$root/usr/bin" -name "$tool" 2> /dev/null | head -n 1)
  [ -n "$file" ] || file=$(command -v "$tool")
  if missing=$(LD_LIBRARY_PATH=$libraries ldd "$file" 2> /dev/null | grep 'not found'); then
    printf '%s lacks: %s\n' "$tool" "$missing" >&2
    exit 1
  fi
done
rm -rf "$bed/apt"
: > "$root/.complete"
printf '%s\n' "$root"
