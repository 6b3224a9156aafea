# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values for options, derived from each module's own documentation: what fits, and what does not."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

COLLECTION = "ansible_collections.eternus.backup"
MODULES = sorted(file.stem for file in (Path(__file__).resolve().parents[3] / "plugins" / "modules").glob("*.py"))

#: Texts that were bad for somebody once: quotes, NUL, controls, right-to-left, templates, ways out, SQL, XML, length.
NASTY = (
    "",
    " ",
    "\0",
    "a\0b",
    "\x1b[31m",
    "\n",
    "tv\n",
    "\x7f",
    "\ufffe",
    "\ufeff",
    "\ud800",
    "\u202etv",
    "Ünïcødé-体積",
    "\U0001f4be",
    "'",
    '"',
    "%s%n",
    "{{ 7 * 7 }}",
    "../../x",
    "a/../b",
    "' OR 1=1 --",
    "%",
    "_",
    "<a>&amp;]]>",
    "x" * 33,
    "x" * 5000,
    "NaN",
    "-1",
    "1e400",
    "999999999999999999999999",
    "True",
    "0",
    "null",
    "[]",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2016-12-31T23:59:60Z",
    "2026-03-29T02:30:00+01:00",
    "9" * 400 + "d",
)
#: No infinity but for floats: ansible-core itself breaks off with an OverflowError before a module sees the option.
NUMBERS = (0, -1, 1, 2, 2**31, 2**63 - 1, 2**63, 2**64, 10**30, -(10**30), 0.5, 1e308, float("nan"))
texts = st.sampled_from(NASTY) | st.text(max_size=40)
wrong = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(NUMBERS),
    texts,
    st.lists(texts, max_size=3),
    st.dictionaries(st.sampled_from(["volume", "x", "", "\0"]), texts, max_size=2),
    st.just([[["deep"]]]),
    st.just([None]),
    st.just([{}]),
)

#: What leads to the world, and what would make a test wait: given right, and only sometimes wrong.
KEPT = {"host", "port", "username", "password", "ca_path", "use_tls", "validate_certs", "request_timeout"}
KEPT |= {"catalog_url", "library", "device_dir", "poll_interval", "wait_timeout", "peers", "rate_limit"}


def options_of(module: str) -> dict[str, dict[str, Any]]:
    """Return a module's options as documented, with those of its fragments."""
    documented = yaml.safe_load(importlib.import_module(f"{COLLECTION}.plugins.modules.{module}").DOCUMENTATION)
    found: dict[str, dict[str, Any]] = {}
    for name in documented.get("extends_documentation_fragment", ()):
        short = str(name).partition("eternus.backup.")[2]
        file, _dot, part = short.partition(".")
        fragment = importlib.import_module(f"{COLLECTION}.plugins.doc_fragments.{file}").ModuleDocFragment
        text = getattr(fragment, part.upper() or "DOCUMENTATION", "")
        found |= yaml.safe_load(text).get("options") or {}
    for name, spec in (documented.get("options") or {}).items():
        found[name] = {**found.get(name, {}), **spec}
    return found


def fitting(name: str, spec: Mapping[str, Any], known: Mapping[str, Sequence[Any]]) -> st.SearchStrategy[Any]:
    """Return values of an option's type; ``known`` has some that mean something in the world."""
    if name in known:
        return st.sampled_from(list(known[name]))
    if "choices" in spec and spec.get("type") != "list":
        return st.sampled_from(spec["choices"])
    kind = spec.get("type", "str")
    if kind == "bool":
        return st.booleans() | st.sampled_from(["yes", "no", 1, 0, "maybe"])
    if kind in ("int", "float"):
        more = (float("inf"), float("-inf")) if kind == "float" else ()
        return st.sampled_from((*NUMBERS, *more)) | st.integers(-5, 50)
    if kind == "list":
        inner = {key: spec[key] for key in ("choices", "suboptions") if key in spec}
        one = fitting(f"{name}[]", {"type": spec.get("elements", "str"), **inner}, known)
        return st.lists(one | texts, max_size=3)
    if kind == "dict":
        return mixed(spec.get("suboptions") or {}, known) if spec.get("suboptions") else st.dictionaries(texts, texts)
    return texts


def mixed(options: Mapping[str, Mapping[str, Any]], known: Mapping[str, Sequence[Any]]) -> st.SearchStrategy[Any]:
    """Return sets of options: some left out, most that fit, few that do not."""
    value = {
        name: st.one_of(*[fitting(name, spec, known)] * 4, wrong) for name, spec in options.items() if name not in KEPT
    }
    needed = {name: one for name, one in value.items() if options[name].get("required")}
    return st.fixed_dictionaries(needed, optional={name: one for name, one in value.items() if name not in needed})


def arguments(module: str, known: Mapping[str, Sequence[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Return argument sets of a module, without what leads to the world but for now and then."""
    options = options_of(module)
    reach = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(sorted(KEPT & set(options) - {"host", "catalog_url"}), texts | wrong)
    )
    rarely = st.one_of(*[st.just({})] * 6, reach)
    return st.builds(lambda more, own: {**more, **own}, rarely, mixed(options, known))
