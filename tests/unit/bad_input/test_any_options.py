# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever the options are: a result, a class of its own, a next step; a refusal changes nothing (behaviour.md §4).

EXAMPLES=n tries n sets of options for each module.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._errors import ErrorClass
from ansible_collections.eternus.backup.tests.unit.bad_input.conftest import Place
from ansible_collections.eternus.backup.tests.unit.bad_input.values import KEPT, MODULES, arguments, options_of

EXAMPLES = int(os.environ.get("EXAMPLES", "5"))
CLASSES = {one.value for one in ErrorClass}
MOST = 20_000


def told(place: Place, module: str, args: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Run a module on the world; it must end with a result, and a refusal must be one."""
    reach = {name: value for name, value in place.world.arguments(module).items() if name in options_of(module)}
    if "wait_timeout" in reach:
        reach["wait_timeout"] = 1
    before = place.state()
    done = place.calls.call(module, {**reach, **args}, check=check)
    result, shown = done["result"], (module, args, done["text"][-3000:])
    assert result, shown
    assert "exception" not in result, shown
    assert "Traceback" not in done["text"], shown
    if result.get("failed"):
        assert len(result["msg"]) < MOST, shown
        if "error_class" in result:
            assert result["error_class"] in CLASSES, shown
            assert result["next_step"], shown
        if not result.get("changed"):
            assert not place.changes(before), shown
    if check:
        assert not place.changes(before), shown
    return result


@pytest.mark.unmeasured
@pytest.mark.parametrize("module", MODULES)
@settings(
    max_examples=EXAMPLES,
    derandomize="EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_whatever_the_options_a_module_ends_with_a_result_and_a_refusal_changes_nothing(
    module: str, place: Place, data: st.DataObject
) -> None:
    args = data.draw(arguments(module, place.known))
    for name in KEPT & {"rate_limit", "poll_interval"} & args.keys():
        if not isinstance(args[name], (int, float)) or not 1000 < args[name] < 10**9:
            args[name] = -1
    told(place, module, args, check=data.draw(st.booleans()))
