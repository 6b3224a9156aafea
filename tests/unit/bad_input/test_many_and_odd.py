# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ten thousand names, names that nobody expects, volumes of odd sizes (behaviour.md §1, §2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError, ErrorClass
from ansible_collections.eternus.backup.tests.fault.world import World

MANY = [f"volume-{number:05d}" for number in range(10_000)]
MIB = 1 << 20
NAMES = ['größe "x"', "o'neil; DROP TABLE volumes", "a,b", "{{ 7*7 }}", "-rf", "מחיר", "日本語", "100%s", "tab\tname"]
#: A message has three sentences of 2,000 characters at most, and the words between them.
LONGEST = 6500


@pytest.mark.parametrize(
    ("module", "args"),
    [
        ("eternus_volume", {"volumes": MANY, "role": "backup"}),
        ("eternus_sync", {"volumes": MANY}),
        ("eternus_sync", {"groups": MANY}),
        ("eternus_backup", {"volumes": MANY}),
        ("eternus_policy", {"policies": [{"volume": name, "generations": 1, "media": "disk"} for name in MANY]}),
        ("eternus_backup_info", {"volumes": MANY}),
        ("eternus_reconcile", {"adopt": [{"source": name, "target": name} for name in MANY]}),
        ("tape_copy", {"backups": MANY}),
        ("tape_verify", {"backups": MANY}),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_ten_thousand_unknown_names_are_one_look_and_a_message_that_can_be_read(
    place: Any, module: str, args: dict[str, Any]
) -> None:
    place.world.array.reset_counters()
    called = place.world.call(module, args)
    assert called.result["error_class"] in ("no_such_volume", "not_registered", "invalid_option", "no_such_backup")
    assert len(called.result["msg"]) < LONGEST
    assert place.world.array.requests() <= 3


def test_ten_thousand_connections_to_one_array_are_refused_before_any_is_tried(place: Any) -> None:
    peers = [{"host": "127.0.0.1", "port": 9}] * 10_000
    called = place.world.call("eternus_sync", {"volumes": ["tv"], "peers": peers})
    assert called.result["error_class"] == "invalid_option"
    assert len(called.result["msg"]) < LONGEST


def test_a_sentence_that_is_too_long_ends_after_a_whole_item_and_says_so() -> None:
    names = ", ".join(MANY)
    error = BackupError(ErrorClass.NOT_REGISTERED, f"Not registered: {names}.", next_step="Register them.", names=MANY)
    shown, _and, rest = error.message.partition(" and so on ")
    assert all(name in MANY for name in shown.removeprefix("Not registered: ").split(", "))
    assert rest == f"({len(names) + 17} characters in all)."
    assert error.details["names"] == MANY
    assert BackupError(ErrorClass.BUSY, "x" * 2000, next_step="").message == "x" * 2000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[World]:
    """Transaction volumes of strange names and sizes, each with a backup volume of its size."""
    world = World.template(tmp_path_factory.mktemp("odd") / "world", tls=certificates)
    try:
        world.array.create_volumes(*NAMES, *(f"{name}'" for name in NAMES), *(f'{name}"' for name in NAMES), size=MIB)
        for name, size in (("block", 512), ("near", MIB + 512), ("vast", 1 << 41)):
            world.array.create_volumes(name, f"{name} copy", size=size)
        yield world
    finally:
        world.remove()


def test_a_backup_of_volumes_with_strange_names_gives_the_names_back_as_they_are(world: World) -> None:
    world.done("eternus_volume", volumes=NAMES, role="transaction")
    world.done("eternus_volume", volumes=[f"{name}{end}" for name in NAMES for end in "'\""], role="backup")
    groups = {name: f'{name} of "all"' for name in NAMES if name.isprintable()}
    policies = [
        {"volume": name, "generations": 1, "media": "disk", **({"group": groups[name]} if name in groups else {})}
        for name in NAMES
    ]
    world.done("eternus_policy", policies=policies)
    world.done("eternus_sync", volumes=NAMES)
    taken = world.done("eternus_backup", volumes=NAMES, key="{{ key }} ' OR 1=1")["backups"]
    assert sorted(row["volume"] for row in taken) == sorted(NAMES)
    shown = world.done("eternus_backup_info", volumes=NAMES)
    assert {row["key"] for volume in shown["volumes"] for row in volume["backups"]} == {"{{ key }} ' OR 1=1"}
    assert {row["volume"]: row["group"] for row in shown["policies"] if row["group"]} == groups


def test_a_volume_of_one_block_is_backed_up(world: World) -> None:
    world.done("eternus_volume", volumes=["block"], role="transaction")
    world.done("eternus_volume", volumes=["block copy"], role="backup")
    world.done("eternus_policy", policies=[{"volume": "block", "generations": 1, "media": "disk"}], strict=False)
    world.array.write("block", b"b" * 512)
    world.done("eternus_sync", volumes=["block"])
    world.done("eternus_backup", volumes=["block"])
    assert world.array.read("block copy", 512) == b"b" * 512


def test_a_backup_volume_that_is_one_block_larger_is_never_taken(world: World) -> None:
    world.array.create_volume("narrow", MIB - 512)
    world.done("eternus_volume", volumes=["narrow"], role="transaction")
    world.done("eternus_volume", volumes=["near"], role="backup")
    world.done("eternus_policy", policies=[{"volume": "narrow", "generations": 1, "media": "disk"}], strict=False)
    called = world.call("eternus_sync", {"volumes": ["narrow"]})
    assert called.result["error_class"] == "no_unused_volume"


def test_a_pair_of_two_tebibytes_is_started_and_its_backup_refused_while_it_copies(world: World) -> None:
    world.array.knobs(copy_rate=MIB)
    world.done("eternus_volume", volumes=["vast"], role="transaction")
    world.done("eternus_volume", volumes=["vast copy"], role="backup")
    world.done("eternus_policy", policies=[{"volume": "vast", "generations": 1, "media": "disk"}], strict=False)
    started = world.done("eternus_sync", volumes=["vast"], state="started")
    assert started["changed"]
    assert world.call("eternus_backup", {"volumes": ["vast"]}).result["error_class"] == "not_equivalent"
    world.done("eternus_sync", volumes=["vast"], state="cancelled")
    world.array.knobs(copy_rate=0)
