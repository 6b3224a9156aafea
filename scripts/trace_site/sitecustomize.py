# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disables one function of the collection in every Python process that has this directory on its PYTHONPATH.

``TRACE_MUTATION`` is JSON: ``{"function": "_package.module:name", "kind": ..., "value": ...}``. The function is
replaced as soon as its module has been imported, before anybody else can take it from there; so every importer gets the
replacement, also in the processes that tests start. Python imports a module of this name by itself (site).
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
from importlib.machinery import ModuleSpec
from typing import Any, Callable, Optional

PACKAGE = "ansible_collections.eternus.backup.plugins.module_utils"


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _lets_pass(original: Callable[..., Any], value: Any) -> Callable[..., Any]:
    """Replace a check: it looks as before, and what it refuses passes."""

    def mutant(*args: Any, **kwargs: Any) -> Any:
        refusal = importlib.import_module(f"{PACKAGE}._errors").BackupError
        try:
            return original(*args, **kwargs)
        except refusal:
            return _value(value) if value is not True else None

    return mutant


def _mistakes(original: Callable[..., Any], value: Any) -> Callable[..., Any]:
    """Replace the maker of errors: one class is taken for another."""

    def mutant(self: Any, error_class: Any, *args: Any, **kwargs: Any) -> Any:
        if error_class.value == value:
            error_class = type(error_class)("copy_failed" if value == "array_error" else "array_error")
        return original(self, error_class, *args, **kwargs)

    return mutant


def _raises(_original: Callable[..., Any], value: Any) -> Callable[..., Any]:
    def mutant(*_args: Any, **_kwargs: Any) -> Any:
        raise RuntimeError(f"disabled: {value}")

    return mutant


def mutated(original: Callable[..., Any], kind: str, value: Any) -> Callable[..., Any]:
    """Return what stands in for a function.

    ``returns``: that value (a list becomes a tuple). ``gives``: its argument of that number. ``negates``: the opposite.
    ``lets_pass``: what it refuses passes. ``given``: called with these keyword arguments. ``raises``: breaks.
    ``mistakes``: see above.
    """
    makers: dict[str, Callable[[Callable[..., Any], Any], Callable[..., Any]]] = {
        "returns": lambda _original, value: lambda *_args, **_kwargs: _value(value),
        "gives": lambda _original, value: lambda *args, **_kwargs: args[value],
        "negates": lambda original, _value: lambda *args, **kwargs: not original(*args, **kwargs),
        "given": lambda original, value: lambda *args, **kwargs: original(*args, **{**kwargs, **value}),
        "lets_pass": _lets_pass,
        "raises": _raises,
        "mistakes": _mistakes,
    }
    return functools.wraps(original)(makers[kind](original, value))


def mutate(module: Any, path: str, kind: str, value: Any) -> None:
    """Replace a function, method or property of a module."""
    *outer, name = path.split(".")
    holder = module
    for part in outer:
        holder = getattr(holder, part)
    original = vars(holder)[name]
    if isinstance(original, property):
        replaced: Any = property(mutated(original.fget, kind, value)) if original.fget else original
    elif callable(original):
        replaced = mutated(original, kind, value)
    else:
        replaced = _value(value)  # a constant
    setattr(holder, name, replaced)
    for table in vars(module).values():  # a table of functions in the module itself
        if isinstance(table, dict):
            for key, known in list(table.items()):
                if known is original and table is not vars(module):
                    table[key] = replaced


class _Loader:
    """A loader that changes the module when it has been executed; all else is the real loader's."""

    def __init__(self, real: Any, mutation: dict[str, Any]) -> None:
        self._real = real
        self._mutation = mutation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._real.create_module(spec)

    def exec_module(self, module: Any) -> None:
        self._real.exec_module(module)
        path = self._mutation["function"].partition(":")[2]
        mutate(module, path, self._mutation["kind"], self._mutation["value"])


class _Finder:
    def __init__(self, mutation: dict[str, Any]) -> None:
        self._mutation = mutation
        self._module = f"{PACKAGE}.{mutation['function'].partition(':')[0]}"

    def find_spec(self, name: str, path: Any, target: Any = None) -> Optional[ModuleSpec]:
        if name != self._module:
            return None
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if finder is not self else None
            if spec is not None:
                spec.loader = _Loader(spec.loader, self._mutation)  # type: ignore[assignment]
                return spec
        return None


def pytest_configure() -> None:
    """Come before pytest's own finder, which takes every module whose name is like a test's (``*_test``)."""
    sys.meta_path.sort(key=lambda finder: not isinstance(finder, _Finder))


if os.environ.get("TRACE_MUTATION"):
    sys.meta_path.insert(0, _Finder(json.loads(os.environ["TRACE_MUTATION"])))  # type: ignore[arg-type]
