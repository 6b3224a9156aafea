# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rule of docs/behaviour.md has which tests, and which function carries it (docs/trace.yml). Reads only."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

RULE = re.compile(r"R\d+\.\d+[a-z]?")
_DEFINED = re.compile(r"^(?:- \*\*|\| )(R\d+\.\d+[a-z]?)(?:\*\*| \|)", re.MULTILINE)
_TAG = re.compile(r"#\s*rule:\s*(.+)$", re.MULTILINE)
_LATER = re.compile(r"^(?:- \*\*|\| )(R\d+\.\d+[a-z]?)(?:\*\*| \|).*\(issue 4\)", re.MULTILINE)
PACKAGE = "ansible_collections.eternus.backup.plugins.module_utils"
KINDS = ("returns", "raises", "negates", "lets_pass", "gives", "given", "mistakes")


@dataclass(frozen=True)
class Mutation:
    """How a rule's function is disabled; ``kind`` and ``value`` as scripts/trace_site/sitecustomize.py knows them."""

    function: str
    kind: str
    value: Any = None

    def as_json(self) -> dict[str, Any]:
        """Return what the mutated process reads from its environment."""
        return {"function": self.function, "kind": self.kind, "value": self.value}


@dataclass
class Rules:
    """Everything that is known of the rules, by id."""

    ids: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    units: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    targets: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    mutations: dict[str, Mutation] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def proven(self) -> list[str]:
        """The rules that can be proven by a mutation, in the order of the page."""
        return [rule for rule in self.ids if rule in self.mutations]


def defined(text: str) -> list[str]:
    """Return the ids that a page defines, in its order; one that is there twice comes twice."""
    return _DEFINED.findall(text)


def _names(node: ast.expr) -> list[str] | None:
    """Return the ids of one ``pytest.mark.rule(...)``, or None when it is something else."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "rule":
        return None
    return [str(arg.value) if isinstance(arg, ast.Constant) else "?" for arg in node.args]


def markers(source: str) -> Iterator[tuple[str, str]]:
    """Yield (id, test) of a file of unit tests; the test's name is empty where the whole file is marked."""

    def of(nodes: list[ast.expr], name: str) -> Iterator[tuple[str, str]]:
        for node in nodes:
            for rule in _names(node) or ():
                yield rule, name

    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from of(node.decorator_list, node.name)
        elif isinstance(node, ast.ClassDef):
            yield from of(node.decorator_list, node.name)
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield from of(inner.decorator_list, f"{node.name}::{inner.name}")
        elif isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets
        ):
            values = node.value.elts if isinstance(node.value, (ast.List, ast.Tuple)) else [node.value]
            yield from of(values, "")


def tags(text: str) -> list[str]:
    """Return the ids of all ``# rule: R1.1 R1.2`` of a file of an integration target."""
    return [rule for line in _TAG.findall(text) for rule in re.split(r"[\s,]+", line.strip()) if rule]


def mutation_of(value: Any) -> Mutation | str:
    """Read one value of docs/trace.yml: ``words``, ``role``, or a function with one kind of mutation."""
    if value in ("words", "role"):
        return str(value)
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r} is neither words, role, nor a function with a mutation")
    kinds = [kind for kind in KINDS if kind in value]
    if len(kinds) != 1 or set(value) - {"function", *KINDS}:
        raise ValueError(f"one of {', '.join(KINDS)} is needed, there is {sorted(value)}")
    function = str(value.get("function") or ("_errors:BackupError.__init__" if kinds[0] == "mistakes" else ""))
    return Mutation(function, kinds[0], value[kinds[0]])


def resolve(function: str) -> object:
    """Return the function named ``_package.module:Class.name`` below module_utils; raises when it is not there."""
    module, _colon, path = function.partition(":")
    found: object = importlib.import_module(f"{PACKAGE}.{module}")
    for name in path.split("."):
        found = getattr(found, name)
    return found


def read(root: Path, *, tree: Path) -> Rules:
    """Read page, tests and mapping, and list what is wrong with them in ``faults``.

    :param tree: the directory that holds ansible_collections; functions are imported from there.
    """
    rules = Rules()
    page = (root / "docs" / "behaviour.md").read_text(encoding="utf-8")
    counted = Counter(defined(page))
    rules.ids, rules.later = list(counted), _LATER.findall(page)
    rules.faults += [f"{rule}: defined {count} times" for rule, count in counted.items() if count > 1]
    _read_tests(root, rules)
    _read_mapping(root, rules, tree)
    for rule in rules.ids:
        if not rules.units[rule] and not rules.targets[rule] and rule not in rules.later:
            rules.faults.append(f"{rule}: no test bears it")
    return rules


def _read_tests(root: Path, rules: Rules) -> None:
    known = set(rules.ids)

    def note(rule: str, found: dict[str, list[str]], test: str) -> None:
        if rule not in known:
            rules.faults.append(f"{test} bears {rule}, which docs/behaviour.md does not know")
        elif test not in found[rule]:
            found[rule].append(test)

    for path in sorted((root / "tests" / "unit").rglob("test_*.py")):
        name = path.relative_to(root).as_posix()
        for rule, test in markers(path.read_text(encoding="utf-8")):
            note(rule, rules.units, f"{name}::{test}" if test else name)
    targets = root / "tests" / "integration" / "targets"
    for path in sorted(targets.rglob("*")):
        if path.suffix in (".yml", ".sh", ".py") and path.is_file():
            for rule in tags(path.read_text(encoding="utf-8")):
                note(rule, rules.targets, path.relative_to(targets).parts[0])


def _read_mapping(root: Path, rules: Rules, tree: Path) -> None:
    if str(tree) not in sys.path:
        sys.path.insert(0, str(tree))
    mapping = yaml.safe_load((root / "docs" / "trace.yml").read_text(encoding="utf-8")) or {}
    rules.faults += [f"{rule}: in docs/trace.yml only" for rule in mapping if rule not in set(rules.ids)]
    for rule in rules.ids:
        if rule not in mapping:
            rules.faults.append(f"{rule}: docs/trace.yml does not say which function carries it")
            continue
        try:
            found = mutation_of(mapping[rule])
            if isinstance(found, Mutation):
                resolve(found.function)
        except (TypeError, ValueError, ImportError, AttributeError) as error:
            rules.faults.append(f"{rule}: {error}")
            continue
        if isinstance(found, Mutation):
            rules.mutations[rule] = found
            if not rules.units[rule]:
                rules.faults.append(f"{rule}: {found.function} carries it, and no unit test bears it")
        else:
            (rules.words if found == "words" else rules.roles).append(rule)
