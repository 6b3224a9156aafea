# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of shared options says what their argument specs say."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import yaml

from ansible_collections.eternus.backup.plugins.module_utils import _options

BASE = "ansible_collections.eternus.backup.plugins.doc_fragments"


@pytest.mark.parametrize(
    ("fragment", "spec"),
    [
        ("connection", _options.array_args()),
        ("catalog", _options.catalog_args()),
        ("wait", _options.wait_args()),
    ],
)
def test_a_fragment_documents_exactly_its_options(fragment: str, spec: dict[str, Any]) -> None:
    found = yaml.safe_load(importlib.import_module(f"{BASE}.{fragment}").ModuleDocFragment.DOCUMENTATION)["options"]
    _same(found, spec)


def test_the_fragment_of_idle_options_documents_exactly_them() -> None:
    found = yaml.safe_load(importlib.import_module(f"{BASE}.connection").ModuleDocFragment.IDLE)["options"]
    _same(found, _options.idle_args(**_options.array_args()))


def _same(found: dict[str, Any], spec: dict[str, Any]) -> None:
    assert set(found) == set(spec)
    for name, option in spec.items():
        documented = found[name]
        assert documented["type"] == option["type"]
        assert documented.get("elements") == option.get("elements")
        assert documented.get("default") == option.get("default")
        assert documented.get("required", False) == option.get("required", False)
        fallback = option.get("fallback", (None, []))[1]
        assert all(f"E({variable})" in str(documented["description"]) for variable in fallback)
        _same(documented.get("suboptions", {}), option.get("options", {}))
