# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks with tape onto Linux's own st driver and mtx, by a simulated array over https; in the tape bed only."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.tests.tape_bed.control import tell
from ansible_collections.eternus.backup.tests.unit.support.simulated import (
    MIB,
    Simulated,
    start_simulated,
    stop_simulated,
)
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import noise

SIZE = 12 * MIB
CARTRIDGES = ["PLB001L8", "PLB002L8", "PLB003L8", "PLB004L8"]
SMALL = 8 * MIB  # a backup needs more than one
INVENTORY = 'localhost ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"\n'
DECLARED = {
    "configure_transaction_volumes": ["oradata"],
    "configure_backup_volumes": ["bv01", "bv02"],
    "configure_tape_pools": [{"name": "weekly", "kind": "private", "cartridges": CARTRIDGES}],
    "configure_policies": [{"volume": "oradata", "generations": 1, "media": "both", "tape_pool": "weekly"}],
}


@pytest.fixture
def array(tmp_path: Path) -> Iterator[Simulated]:
    directory = tmp_path / "array"
    try:
        yield start_simulated(directory)[0]
    finally:
        stop_simulated(directory)


class Player:
    """Runs playbooks as an operator does: everything comes by the environment and by -e."""

    def __init__(self, path: Path, array: Simulated) -> None:
        self.path = path
        (path / "inventory").write_text(INVENTORY, encoding="utf-8")
        args = array.args()
        self.environment = {
            **os.environ,
            "ANSIBLE_HOME": str(path / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(path / "local"),
            "ANSIBLE_REMOTE_TMP": str(path / "remote"),
            "ANSIBLE_NOCOLOR": "1",
            "ETERNUS_HOST": str(args["host"]),
            "ETERNUS_PORT": str(args["port"]),
            "ETERNUS_USERNAME": str(args["username"]),
            "ETERNUS_PASSWORD": str(args["password"]),
            "ETERNUS_CA_PATH": str(args["ca_path"]),
            "ETERNUS_CATALOG": f"sqlite:///{path}/catalog.db",
            "ETERNUS_DEVICE_DIR": str(array.device_dir),
            "ETERNUS_TAPE_BACKEND": "st",
            "ETERNUS_TAPE_LIBRARY": os.environ["ETERNUS_TAPE_BED"],
        }

    def play(self, *names: str, **variables: Any) -> None:
        done = subprocess.run(
            ["ansible-playbook", "-i", str(self.path / "inventory"), *(f"eternus.backup.{name}" for name in names),
             "-e", json.dumps(variables)],
            env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{names}:\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}"


def test_the_playbooks_bring_a_volume_to_tape_and_back_byte_by_byte(tmp_path: Path, array: Simulated) -> None:
    tell(
        os.environ["BED_CONTROL"],
        "reset",
        cartridges={**dict.fromkeys(CARTRIDGES, SMALL), "CLN001L1": MIB},
        early_warning=2 * MIB,
    )
    array.create_volumes("oradata", "bv01", "bv02", size=SIZE)
    scratch = array.create_volume("scratch", SIZE)
    content = noise(SIZE, 7)
    array.write("oradata", content)
    player = Player(tmp_path, array)
    settings = {"synchronize_poll_interval": 0.2, "backup_key": "first", "tape_verify": True, "tape_progress": False}
    player.play("configure", "synchronize", "backup", "tape", **DECLARED, **settings)
    array.write("oradata", noise(MIB, 8), 3 * MIB)  # after the backup
    player.play(
        "restore",
        restore_volume="oradata",
        restore_source="tape",
        restore_target=scratch["device_id"],
        restore_progress=False,
    )
    assert array.sha256("scratch") == hashlib.sha256(content).hexdigest()
    assert array.sha256("oradata") != array.sha256("scratch")
    loads = tell(os.environ["BED_CONTROL"], "status")["loads"]
    assert {barcode for barcode, _drive in loads} <= set(CARTRIDGES)  # the cleaning cartridge was left alone
    recorded = [one for one in CARTRIDGES if Path(os.environ["BED_CARTRIDGES"], one, "00002").exists()]
    data = b"".join(Path(os.environ["BED_CARTRIDGES"], one, "00002").read_bytes() for one in recorded)
    assert len(recorded) > 1
    assert data == content
