# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the sources must not do, read off their syntax trees (SECURITY.md, Code): plugins/, and the Python of roles/."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted([*(ROOT / "plugins").rglob("*.py"), *(ROOT / "roles").rglob("*.py")])
TASKS = sorted([*(ROOT / "roles").rglob("tasks/*.yml"), *(ROOT / "playbooks").glob("*.yml")])

MODULES = {
    "pickle",
    "cPickle",
    "marshal",
    "shelve",
    "dill",
    "jsonpickle",
    "yaml",
    "xml",
    "lxml",
    "code",
    "codeop",
    "imp",
}
CALLS = {
    *("eval", "exec", "compile", "__import__", "input", "breakpoint"),
    *("os.system", "os.popen", "os.tempnam", "os.tmpnam", "tempfile.mktemp"),
    *("subprocess.getoutput", "subprocess.getstatusoutput", "yaml.load", "yaml.unsafe_load"),
    *("ssl._create_unverified_context", "ssl.wrap_socket", "ssl._create_default_https_context"),
    *("sqlite3.Connection.executescript", "importlib.import_module"),
}

#: What may do what others may not, and why.
ALLOWED = {
    # the test equipment reads requests itself; the file refuses every document type and entity
    ("roles/simulated_array/files/eternus_sim/cim/xml_in.py", "imports xml"),
    # it writes XML: escape and quoteattr alone
    ("roles/simulated_array/files/eternus_sim/cim/xml_out.py", "imports xml"),
    # one instance at a time, which is left to pywbem when it bears a declaration of any kind
    ("plugins/module_utils/_array/rows.py", "imports xml"),
    # no TLS without verification but where the option says so, and to tell whether a port speaks TLS at all
    ("plugins/module_utils/_array/guard.py", "CERT_NONE"),
    ("plugins/module_utils/_array/faults.py", "CERT_NONE"),
    # it imports this collection's own modules by the names that stand in their action plugins
    ("plugins/plugin_utils/_in_process.py", "calls importlib.import_module"),
}

#: What is put into SQL as text: names and numbers of our own sources, which cannot be bound.
SQL_PARTS = {
    "plugins/module_utils/_catalog/schema.py": {"table.name", "made"},
    "plugins/module_utils/_catalog/postgres.py": {"LOCK_SECONDS"},
    "plugins/module_utils/_catalog/sqlite.py": {"'OFF' if writes else 'ON'"},
}
SQL_CALLS = {"text", "execute", "executemany", "executescript", "exec_driver_sql", "literal_column"}


def _dotted(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""


def _sins(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and sin."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            for top in {name.partition(".")[0] for name in names} & MODULES:
                yield node.lineno, f"imports {top}"
        elif isinstance(node, ast.Call):
            name = _dotted(node.func)
            if name in CALLS:
                yield node.lineno, f"calls {name}"
            for keyword in node.keywords:
                if keyword.arg == "shell" and ast.unparse(keyword.value) != "False":
                    yield node.lineno, "gives shell"
                if keyword.arg == "verify" and ast.unparse(keyword.value) == "False":
                    yield node.lineno, "gives verify=False"
        elif isinstance(node, ast.Attribute) and node.attr in ("CERT_NONE", "_create_unverified_context"):
            yield node.lineno, node.attr


def _formatted(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and part of what is put into a statement as text."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or _dotted(node.func).rpartition(".")[2] not in SQL_CALLS or not node.args:
            continue
        statement = node.args[0]
        if isinstance(statement, ast.JoinedStr):
            for part in statement.values:
                if isinstance(part, ast.FormattedValue):
                    yield node.lineno, ast.unparse(part.value)
        elif isinstance(statement, ast.BinOp) or (
            isinstance(statement, ast.Call) and _dotted(statement.func).endswith((".format", ".join", ".replace"))
        ):
            yield node.lineno, ast.unparse(statement)


@cache
def _tree(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_every_test_that_the_threat_model_names_is_there() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+\.py)`", text))
    assert len(named) > 10
    for name in named:
        assert (ROOT / name).exists() or Path(__file__).with_name(name).exists(), name
    assert "target `secrets`" in text
    assert (ROOT / "tests" / "integration" / "targets" / "secrets" / "runme.sh").exists()


def test_there_is_something_to_read() -> None:
    assert len(SOURCES) > 150
    assert len(TASKS) > 20


@pytest.mark.parametrize(
    ("source", "sin"),
    [
        ("import pickle", "imports pickle"),
        ("from xml.etree import ElementTree", "imports xml"),
        ("eval('1')", "calls eval"),
        ("import os; os.system('x')", "calls os.system"),
        ("subprocess.run('x', shell=True)", "gives shell"),
        ("tempfile.mktemp()", "calls tempfile.mktemp"),
        ("requests.get(u, verify=False)", "gives verify=False"),
        ("context.verify_mode = ssl.CERT_NONE", "CERT_NONE"),
    ],
)
def test_a_sin_is_seen(source: str, sin: str) -> None:
    assert [found for _line, found in _sins(ast.parse(source))] == [sin]


@pytest.mark.parametrize(
    "source",
    ["sa.text(f'SELECT {x}')", "c.execute('SELECT ' + x)", "c.execute('SELECT %s' % x)", "c.execute('{}'.format(x))"],
)
def test_a_formatted_statement_is_seen(source: str) -> None:
    assert len(list(_formatted(ast.parse(source)))) == 1


def test_no_source_runs_text_reads_objects_or_uses_a_shell() -> None:
    found = [
        f"{_name(path)}:{line}: {sin}"
        for path in SOURCES
        for line, sin in _sins(_tree(path))
        if (_name(path), sin) not in ALLOWED
    ]
    assert found == []


def test_values_go_into_sql_bound_and_never_as_text() -> None:
    found = [
        f"{_name(path)}:{line}: {part}"
        for path in SOURCES
        for line, part in _formatted(_tree(path))
        if part not in SQL_PARTS.get(_name(path), set())
    ]
    assert found == []


def test_xml_from_outside_is_parsed_behind_the_guard_alone() -> None:
    """Pywbem parses, and it gets its bytes from the guarded adapter: mounted for both schemes, before any request."""
    users = [_name(path) for path in SOURCES if re.search(r"\bWBEMConnection\(", path.read_text(encoding="utf-8"))]
    assert users == ["plugins/module_utils/_array/connection.py"]
    source = (ROOT / users[0]).read_text(encoding="utf-8")
    made, mounted = source.index("WBEMConnection("), source.index("session.mount(scheme, guarded_adapter(")
    assert made < mounted < source.index("    def close(")
    assert '("https://", "http://")' in source


def _tasks(items: Any) -> Iterator[dict[str, Any]]:
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict):
            yield item
            for inner in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks", "handlers"):
                yield from _tasks(item.get(inner))


def _all_tasks() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in TASKS:
        for task in _tasks(yaml.safe_load(path.read_text(encoding="utf-8"))):
            yield f"{_name(path)}: {task.get('name')}", task


def test_no_role_uses_a_shell() -> None:
    words = {"shell", "raw", "expect", "ansible.builtin.shell", "ansible.builtin.raw", "ansible.builtin.expect"}
    assert [where for where, task in _all_tasks() if words & set(task)] == []


def test_a_command_gets_a_list_and_a_script_gets_quoted_words() -> None:
    for where, task in _all_tasks():
        command, script = task.get("ansible.builtin.command"), task.get("ansible.builtin.script")
        assert command is None or (isinstance(command, dict) and set(command) & {"argv"}), where
        for value in re.findall(r"{{(.*?)}}", script["cmd"] if script else ""):
            variable = value.strip()
            given = str(task.get("vars", {}).get(variable, ""))
            assert re.search(r"\| (quote|int)$", variable) or "regex_search('frozen ([0-9]+ [0-9]+)'" in given, where


SECRET = re.compile(r"password|passphrase|secret|token", re.IGNORECASE)
#: Modules whose own spec keeps the password that they get out of every output.
KEEPERS = ("eternus.backup.", "ansible.builtin.uri")
QUIET = {"name", "when", "vars", "no_log", "register", "loop_control", "block", "rescue", "always", "module_defaults"}


def test_a_task_that_handles_a_secret_says_no_log() -> None:
    for where, task in _all_tasks():
        arguments = {key: value for key, value in task.items() if key not in QUIET}
        if any(key.startswith(KEEPERS) for key in arguments) or "hosts" in task:
            continue
        if any(word.startswith(("ansible.builtin.include_", "ansible.builtin.import_")) for word in arguments):
            continue
        if re.search(r"{{[^}]*(password|secret|token)", str(arguments), re.IGNORECASE):
            assert task.get("no_log") is True, where


def test_an_option_that_is_a_secret_is_no_log_in_every_module_and_role() -> None:
    specs = [*(ROOT / "roles").glob("*/meta/argument_specs.yml")]
    assert specs
    for path in specs:
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            for name, option in entry.get("options", {}).items():
                assert not SECRET.search(name) or option.get("no_log") is True, f"{_name(path)}: {name}"
    from ansible_collections.eternus.backup.plugins.module_utils._options import array_args, catalog_args, idle_args

    spec = {**array_args(), **catalog_args()}
    for options in (spec, idle_args(**spec), spec["peers"]["options"], idle_args(**spec)["peers"]["options"]):
        for name, option in options.items():
            if SECRET.search(name) or name == "catalog_url":
                assert option.get("no_log") is True, name
