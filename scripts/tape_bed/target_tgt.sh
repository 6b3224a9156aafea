# shellcheck shell=bash
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Sourced by init.sh: Debian's tgt, a stranger's target, with a changer, two drives and the cartridges A1 to A6. It
# cannot locate, tell its position, erase, nor inject errors. An image of a cartridge is $BED_CARTRIDGES/BARCODE.
export BED_CARTRIDGES=/run/bed/cartridges
mkdir -p "$BED_CARTRIDGES"
name=iqn.2026-01.backup.eternus:tgt

logical_unit() { # OPERATION NUMBER [OPTION ...]
  tgtadm --lld iscsi --mode logicalunit --op "$1" --tid 1 --lun "$2" "${@:3}"
}

tgtd -f > /run/bed/log 2>&1 &
for _turn in $(seq 100); do
  tgtadm --mode system --op show > /dev/null 2>&1 && break
  sleep 0.05
done
tgtadm --lld iscsi --mode target --op new --tid 1 --targetname "$name"
for drive in 1 2; do
  tgtimg --op new --device-type tape --barcode "DRIVE$drive" --size 4 --type clean --file "/run/bed/drive$drive"
  logical_unit new "$drive" -b "/run/bed/drive$drive" --device-type=tape --bstype=ssc
  logical_unit update "$drive" --params "vendor_id=TGT,product_id=DRIVE,product_rev=1.00,scsi_sn=TGTDRV000$drive,removable=1,online=0"
done
head -c 1024 /dev/zero > /run/bed/changer
logical_unit new 3 -b /run/bed/changer --device-type=changer
for option in vendor_id=TGT,product_id=LIBRARY,product_rev=0001,scsi_sn=TGTLIB0001,removable=1 \
  "media_home=$BED_CARTRIDGES" \
  element_type=1,start_address=1,quantity=1 element_type=2,start_address=1024,quantity=8 \
  element_type=3,start_address=16,quantity=2 element_type=4,start_address=256,quantity=2 \
  element_type=4,address=256,tid=1,lun=2 element_type=4,address=257,tid=1,lun=1; do
  logical_unit update 3 --params "$option"
done
for number in 1 2 3 4 5 6; do
  tgtimg --op new --device-type tape --barcode "A$number" --size 32 --type data --file "$BED_CARTRIDGES/A$number"
  logical_unit update 3 --params "element_type=2,address=$((1023 + number)),barcode=A$number,sides=1"
done
tgtadm --lld iscsi --mode target --op bind --tid 1 -I ALL &&
  timeout 30 iscsistart -i iqn.2026-01.backup.eternus:host -t "$name" -g 1 -a 127.0.0.1 -p 3260
