# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""eternus_info through its real argument spec, against a simulated array over https."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import yaml

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType, Pair
from ansible_collections.eternus.backup.tests.unit.support.run_module import run_module
from ansible_collections.eternus.backup.tests.unit.support.simulated import Simulated

PARTS = {"array", "capabilities", "pools", "sessions", "volumes"}


@pytest.fixture(scope="module")
def filled(module_array: Simulated) -> Simulated:
    """An array with a pair that is equivalent."""
    module_array.create_volumes("oradata", "bv01", "other")
    array = module_array.connect()
    found = array.find_volumes(["oradata", "bv01"])
    array.start(CopyType.EC, [Pair(found["oradata"], found["bv01"])])
    return module_array


def info(sim: Simulated, **options: Any) -> dict[str, Any]:
    return run_module("eternus_info", sim.args(**options))


def test_everything_is_read_by_default_and_nothing_changes(filled: Simulated) -> None:
    before = filled.state()["volumes"]
    result = info(filled)
    assert not result["failed"]
    assert result["changed"] is False
    assert set(result) >= PARTS
    assert [volume["name"] for volume in result["volumes"]] == ["oradata", "bv01", "other"]
    (session,) = result["sessions"]
    assert (session["source_name"], session["target_name"], session["copy_type"]) == ("oradata", "bv01", "EC")
    assert result["array"] == {"serial": filled.serial}
    assert filled.state()["volumes"] == before


@pytest.mark.parametrize(("check", "diff"), [(True, False), (False, True), (True, True)])
def test_check_and_diff_mode_read_the_same(filled: Simulated, check: bool, diff: bool) -> None:
    result = run_module("eternus_info", filled.args(gather_subset=["volumes"]), check=check, diff=diff)
    assert result["volumes"] == info(filled, gather_subset=["volumes"])["volumes"]
    assert result["changed"] is False
    assert "diff" not in result


@pytest.mark.parametrize(
    ("subset", "parts"),
    [
        (["volumes"], {"array", "volumes"}),
        (["array"], {"array"}),
        (["!volumes", "!pools"], {"array", "capabilities", "sessions"}),
        (["all", "!sessions"], PARTS - {"sessions"}),
        (["volumes", "sessions", "!sessions"], {"array", "volumes"}),
        (["!all"], {"array"}),
    ],
)
def test_gather_subset_chooses_what_is_read(filled: Simulated, subset: list[str], parts: set[str]) -> None:
    assert set(info(filled, gather_subset=subset)) & PARTS == parts


def test_each_part_costs_its_own_requests_only(filled: Simulated) -> None:
    filled.reset_counters()
    result = info(filled, gather_subset=["sessions"])
    assert result["round_trips"] == filled.requests() == 2


def test_an_unknown_part_is_refused_before_anything_is_asked(filled: Simulated) -> None:
    filled.reset_counters()
    result = info(filled, gather_subset=["volumes", "!disks"])
    assert (result["failed"], result["error_class"]) == (True, "invalid_option")
    assert "'disks'" in result["msg"]
    assert filled.requests() == 0


def test_a_query_cuts_out_what_is_of_interest(filled: Simulated) -> None:
    result = info(filled, query="volumes[?starts_with(name, 'bv')].name")
    assert result["query_result"] == ["bv01"]


@pytest.mark.parametrize("query", ["volumes[", "no_such_function(volumes)", "length(`1`)"])
def test_a_bad_expression_is_an_invalid_option(filled: Simulated, query: str) -> None:
    result = info(filled, gather_subset=["volumes"], query=query)
    assert (result["failed"], result["error_class"]) == (True, "invalid_option")
    assert "JMESPath" in result["next_step"]


def test_connection_options_fall_back_to_the_environment(filled: Simulated) -> None:
    env = {
        "ETERNUS_HOST": filled.endpoint["host"],
        "ETERNUS_PORT": str(filled.endpoint["https_port"]),
        "ETERNUS_USERNAME": filled.user,
        "ETERNUS_PASSWORD": filled.password,
        "ETERNUS_CA_PATH": filled.endpoint["ca_file"],
    }
    result = run_module("eternus_info", {"gather_subset": ["array"]}, env=env)
    assert result["array"]["serial"] == filled.serial
    assert filled.password not in str(result)


@pytest.mark.parametrize(
    ("options", "error_class"),
    [
        ({"password": "not-the-password"}, "not_authorized"),
        ({"ca_path": None}, "tls_failed"),
        ({"use_tls": False}, "protocol_mismatch"),
        ({"port": 1}, "array_unreachable"),
        ({"port": 70000}, "invalid_option"),
        ({"request_timeout": 0}, "invalid_option"),
        ({"ca_path": "/nonexistent"}, "invalid_option"),
    ],
)
def test_bad_input_has_an_error_class_a_sentence_and_a_next_step(
    filled: Simulated, options: dict[str, Any], error_class: str
) -> None:
    before = filled.state()
    result = info(filled, **options)
    assert (result["failed"], result["error_class"]) == (True, error_class)
    assert result["error"].endswith(".")
    assert result["next_step"].endswith(".")
    assert result["unchanged"] == "Nothing was changed."
    assert "not-the-password" not in str(result)
    assert filled.state() == before


def test_a_missing_connection_option_is_named() -> None:
    assert run_module("eternus_info", {})["msg"] == "missing required arguments: host, password, username"


def kinds(value: Any) -> Any:
    """Return the shape of a value: keys, and types of what is below them; nothing where it is unset."""
    if isinstance(value, dict):
        return {key: kinds(item) for key, item in value.items()}
    if isinstance(value, list):
        return [kinds(value[0])] if value else []
    return None if value is None else type(value).__name__


def same_shape(sample: Any, real: Any) -> bool:
    if sample is None or real is None:
        return True
    if isinstance(sample, dict):
        return set(sample) == set(real) and all(same_shape(sample[key], real[key]) for key in sample)
    if isinstance(sample, list):
        return not sample or not real or same_shape(sample[0], real[0])
    return bool(sample == real)


def test_samples_of_the_documentation_have_the_shape_of_real_output(filled: Simulated) -> None:
    module = importlib.import_module("ansible_collections.eternus.backup.plugins.modules.eternus_info")
    documented = yaml.safe_load(module.RETURN)
    result = info(filled, query="volumes[].name")
    assert set(result) - {"changed", "failed", "invocation"} == set(documented)
    for name, entry in documented.items():
        sample = entry.get("sample") or {key: item["sample"] for key, item in entry["contains"].items()}
        assert same_shape(kinds(sample), kinds(result[name])), name
