# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hold a module's real result against the samples of its RETURN: the same keys, the same types."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from typing import Any

import yaml

from ansible_collections.eternus.backup.tests.unit.support.run_module import COLLECTION

#: What every result may bear beside what RETURN names.
_COMMON = {"changed", "failed", "invocation", "diff", "warnings", "deprecations"}


def assert_documented(module: str, result: Mapping[str, Any], *, free: Collection[str] = ()) -> None:
    """Fail unless the result has every key that RETURN promises for success, no other, and each like its sample.

    :param free: paths such as ``summary.pool`` whose keys are not fixed.
    """
    documented = yaml.safe_load(importlib.import_module(f"{COLLECTION}.plugins.modules.{module}").RETURN)
    missing = {name for name, spec in documented.items() if spec["returned"] == "success"} - set(result)
    assert not missing, f"{module} does not return {sorted(missing)}"
    unknown = set(result) - set(documented) - _COMMON
    assert not unknown, f"{module} returns {sorted(unknown)}, and RETURN does not say so"
    for name in set(documented) & set(result):
        if documented[name]["type"] == "raw":
            continue
        _compare(documented[name]["sample"], result[name], name, free)


def _compare(sample: Any, real: Any, where: str, free: Collection[str]) -> None:
    if sample is None or real is None:
        return
    assert type(sample) is type(real), f"{where}: the sample is a {type(sample).__name__}, the result is {real!r}"
    if isinstance(sample, dict) and where not in free:
        assert sample.keys() == real.keys(), f"{where}: keys differ: {sorted(sample.keys() ^ real.keys())}"
        for key in sample:
            _compare(sample[key], real[key], f"{where}.{key}", free)
    elif isinstance(sample, list) and sample:
        for item in real:
            _compare(sample[0], item, f"{where}[]", free)
