#!/usr/bin/env bash
# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Make the virtual environment .venv and the link that serves every tool. Quick when nothing changed.
# Usage: scripts/env.sh [requirements file]   (default requirements-dev.txt)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset PYTHONDONTWRITEBYTECODE
export LC_ALL=C.UTF-8
# Nothing is left outside the checkout.
export UV_CACHE_DIR=$PWD/.cache/uv PIP_CACHE_DIR=$PWD/.cache/pip

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.11 python3.12 python3.13; do
    [ -n "$candidate" ] || continue
    "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    printf '%s\n' "$candidate"
    return
  done
  printf 'No Python >= 3.11 with venv was found (Debian: apt-get install python3-venv).\n' >&2
  return 1
}

make_venv() {
  local python
  [ -x .venv/bin/uv ] && .venv/bin/python -c '' 2>/dev/null && return
  python=$(find_python)
  rm -rf .venv
  "$python" -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check uv
}

wanted=${1:-requirements-dev.txt}
mkdir -p .cache/tree/ansible_collections/eternus
ln -sfn "$PWD" .cache/tree/ansible_collections/eternus/backup
exec 9> .cache/env.lock
flock 9
make_venv
stamp=.venv/.stamp-$wanted
sum=$(cat requirements.txt "$wanted" | sha256sum)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ] && exit 0
# pip knows mirrors that are configured for pip alone.
.venv/bin/uv pip install --quiet --compile-bytecode --system-certs --python .venv/bin/python -r "$wanted" ||
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$wanted"
printf '%s\n' "$sum" > "$stamp"
