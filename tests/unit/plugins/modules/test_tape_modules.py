# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tape modules through their real argument spec, each in a process of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeState
from ansible_collections.eternus.backup.tests.unit.support.run_module import run_module
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, flip
from ansible_collections.eternus.backup.tests.unit.support.tape_house import TapeHouse

MODULES = Path(__file__).resolve().parents[4] / "plugins" / "modules"


@pytest.fixture
def house(tmp_path: Path) -> TapeHouse:
    return TapeHouse(tmp_path)


def run(house: TapeHouse, module: str, *, check: bool = False, diff: bool = False, **args: Any) -> dict[str, Any]:
    env = {
        "ETERNUS_TAPE_LIBRARY": house.bed.library.path,
        "ETERNUS_CATALOG": house.url,
        "ETERNUS_DEVICE_DIR": str(house.bed.devices),
    }
    return run_module(module, args, check=check, diff=diff, env=env)


def sample(name: str, key: str) -> Any:
    text = (MODULES / f"{name}.py").read_text()
    return yaml.safe_load(text.partition('RETURN = r"""')[2].partition('"""')[0])[key]["sample"]


def same_keys(name: str, result: dict[str, Any], *keys: str) -> None:
    """The documented sample of a result has the keys of a real one."""
    for key in keys:
        shown, real = sample(name, key), result[key]
        if isinstance(shown, list) and shown and isinstance(shown[0], dict):
            assert set(shown[0]) == set(real[0]), key
        elif isinstance(shown, dict) and key != "actions":
            assert set(shown) == set(real), key


def refused(house: TapeHouse, error_class: str, module: str, **args: Any) -> dict[str, Any]:
    before = house.everything()
    result = run(house, module, **args)
    assert result["failed"]
    assert result["error_class"] == error_class
    assert result["next_step"] in result["msg"]
    assert house.everything() == before
    return result


def test_pools_check_do_and_again(house: TapeHouse) -> None:
    args = {"names": ["monthly"], "kind": "scratch"}
    before = house.everything()
    dry = run(house, "tape_pool", check=True, diff=True, **args)
    assert dry["changed"]
    assert house.everything() == before
    done = run(house, "tape_pool", diff=True, **args)
    assert done["changed"]
    declared = {"kind": "scratch", "append": True}
    assert dry["diff"] == done["diff"] == {"before": {"pools": {}}, "after": {"pools": {"monthly": declared}}}
    assert done["pools"] == [{"name": "monthly", **declared}]
    same_keys("tape_pool", done, "pools")
    assert not run(house, "tape_pool", **args)["changed"]
    assert run(house, "tape_pool", name="monthly", state="absent")["changed"]
    refused(house, "policy_violation", "tape_pool", name="weekly", state="absent")


def test_cartridges_check_do_and_again(house: TapeHouse) -> None:
    args = {"barcodes": ["A1", "A2"], "pool": "weekly", "capacity": 16 * MIB}
    before = house.everything()
    assert run(house, "tape_cartridge", check=True, **args)["changed"]
    assert house.everything() == before
    done = run(house, "tape_cartridge", **args)
    assert done["changed"]
    assert done["actions"] == {"A1": "label", "A2": "label"}
    same_keys("tape_cartridge", done, "cartridges")
    assert not run(house, "tape_cartridge", **args)["changed"]
    refused(house, "wrong_pool", "tape_cartridge", barcode="A1", pool="spare")
    refused(house, "no_cartridge", "tape_cartridge", barcode="Z1", pool="weekly")
    assert run(house, "tape_cartridge", barcode="A2", state="absent")["actions"] == {"A2": "remove"}
    missing = run(house, "tape_cartridge", barcode="A2")
    assert "pool" in missing["msg"]


def test_the_st_backend_wants_a_device_and_makes_no_cartridges(house: TapeHouse) -> None:
    house.cartridges("A1")
    st = {"barcode": "A1", "pool": "weekly", "backend": "st"}
    assert "/dev" in refused(house, "invalid_option", "tape_cartridge", **st)["msg"]
    assert "capacity" in refused(house, "invalid_option", "tape_cartridge", library="/dev/sg9", capacity=1, **st)["msg"]


def test_cartridges_are_exported_imported_retired_and_relabelled_check_do_and_again(house: TapeHouse) -> None:
    house.cartridges("A1", "A2")
    todo: list[tuple[str, dict[str, Any], str]] = [
        ("exported", {"location": "the safe"}, "export"),
        ("exported", {"location": "the other safe"}, "note"),
        ("imported", {}, "import"),
        ("retired", {}, "retire"),
        ("in_service", {}, "put_back"),
    ]
    for state, options, action in todo:
        args = {"barcode": "A1", "state": state, **options}
        before = house.everything()
        dry = run(house, "tape_cartridge", check=True, diff=True, **args)
        assert (dry["changed"], dry["actions"]) == (True, {"A1": action})
        assert house.everything() == before
        done = run(house, "tape_cartridge", diff=True, **args)
        assert (done["changed"], done["actions"], done["diff"]) == (True, {"A1": action}, dry["diff"])
        same_keys("tape_cartridge", done, "cartridges")
        before = house.everything()
        assert not run(house, "tape_cartridge", **args)["changed"]
        assert not run(house, "tape_cartridge", check=True, **args)["changed"]
        assert house.everything() == before
    refused(house, "invalid_option", "tape_cartridge", barcode="A1", state="imported", location="the safe")
    refused(house, "invalid_option", "tape_cartridge", barcode="A1", state="relabelled", capacity=16 * MIB)
    assert not run(house, "tape_cartridge", barcode="A1", state="relabelled")["changed"], "nothing was written on it"
    house.backup("B1", 11)
    run(house, "tape_copy")
    refused(house, "confirmation_required", "tape_cartridge", barcode="A1", state="relabelled", force=True)
    info = run(house, "tape_info")
    same_keys("tape_info", info, "library", "drives", "pools", "cartridges")
    label = info["cartridges"][0]["uuid"]
    args = {"barcode": "A1", "state": "relabelled", "force_labels": [label]}
    dry = run(house, "tape_cartridge", check=True, diff=True, **args)
    done = run(house, "tape_cartridge", diff=True, **args)
    assert (dry["diff"], dry["actions"]) == (done["diff"], done["actions"])
    assert done["diff"]["before"]["cartridges"]["A1"]["uuid"] == label
    assert done["cartridges"][0]["uuid"] not in ("new", label)
    assert not run(house, "tape_cartridge", **args)["changed"]


def test_copies_check_do_and_again(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    before = house.everything()
    dry = run(house, "tape_copy", check=True, diff=True, verify=True)
    assert dry["changed"]
    assert house.everything() == before
    done = run(house, "tape_copy", diff=True, verify=True)
    assert done["changed"]
    assert done["diff"] == dry["diff"]
    (copy,) = done["copies"]
    assert (copy["state"], copy["verified_ok"], copy["cartridges"]) == ("written", True, ["A1"])
    assert copy["sha256"] == hashlib.sha256(house.contents["B1"]).hexdigest()
    same_keys("tape_copy", done, "copies")
    before = house.everything()
    assert not run(house, "tape_copy", backup="B1", verify=True)["changed"]
    assert house.everything() == before


@pytest.mark.rule("R4.20")
def test_a_copy_that_fails_says_what_became_of_each(house: TapeHouse) -> None:
    house.cartridges("A1", capacity=5 * MIB)
    house.backup("B1", 11)
    result = run(house, "tape_copy")
    assert result["failed"]
    assert result["error_class"] == "cartridge_full"
    assert [copy["state"] for copy in result["details"]["copies"]] == ["failed"]
    assert house.tape("B1").state is TapeState.FAILED


def test_bad_options_of_a_copy_are_named(house: TapeHouse) -> None:
    house.backup("B1", 11)
    refused(house, "invalid_option", "tape_copy", rate_limit=-1)
    refused(house, "no_such_backup", "tape_copy", backup="nope")
    refused(house, "tape_unavailable", "tape_copy", library=str(house.path / "nowhere"), backup="B1")
    assert "mutually exclusive" in run(house, "tape_copy", backup="B1", volume="oradata")["msg"]


def test_the_queue_is_worked_off_up_to_a_limit(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11, age=1)
    house.backup("B2", 12)
    assert [copy["backup_id"] for copy in run(house, "tape_copy", limit=1)["copies"]] == ["B1"]
    house.change("B2", state=TapeState.FAILED)
    assert run(house, "tape_copy", retry_failed=False)["copies"] == []
    assert [copy["backup_id"] for copy in run(house, "tape_copy")["copies"]] == ["B2"]
    refused(house, "invalid_option", "tape_copy", limit=-1)
    refused(house, "role_conflict", "tape_copy", volume="bv11")


def test_the_info_shows_all_and_works_without_a_library(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    house.copy()
    result = run(house, "tape_info")
    assert not result["changed"]
    same_keys("tape_info", result, "library", "drives", "pools", "cartridges", "copies")
    away = run(house, "tape_info", library=str(house.path / "nowhere"))
    assert away["library"] == []
    assert [copy["state"] for copy in away["copies"]] == ["written"]
    assert "tape_unavailable" in str(away["warnings"])


def test_a_restore_check_do_and_refuse(house: TapeHouse) -> None:
    house.cartridges("A1")
    house.backup("B1", 11)
    house.copy()
    args = {"volume": "oradata", "confirm": "oradata"}
    before = house.everything()
    dry = run(house, "tape_restore", check=True, diff=True, **args)
    assert dry["changed"]
    assert house.everything() == before
    done = run(house, "tape_restore", diff=True, **args)
    assert done["diff"] == dry["diff"]
    assert done["restore"]["sha256_expected"] == done["restore"]["sha256_actual"]
    assert house.file(1).read_bytes() == house.contents["B1"]
    same_keys("tape_restore", done, "restore")
    refused(house, "confirmation_required", "tape_restore", volume="oradata")
    refused(house, "invalid_option", "tape_restore", at="yesterday", **args)
    assert "host" in run(house, "tape_restore", ask_array=True, **args)["msg"]
    away = {"host": "127.0.0.1", "port": 1, "username": "u", "password": "p"}
    refused(house, "array_unreachable", "tape_restore", ask_array=True, **away, **args)
    refused(house, "no_such_backup", "tape_restore", at="2020-01-01T00:00:00", **args)
    flip(house.bed.file("A1", 2), 5)
    broken = run(house, "tape_restore", **args)
    assert broken["error_class"] == "checksum_mismatch"
    assert "undefined" in broken["msg"]
