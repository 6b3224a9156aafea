# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reconcile catalog and tapes: what is on cartridges, as a scan of them tells, against the history (DESIGN.md)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._array.model import CopyType
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift import REPAIRABLE, DriftKind
from ansible_collections.eternus.backup.plugins.module_utils._backup.drift_scan import joined, parse_scan
from ansible_collections.eternus.backup.plugins.module_utils._backup.reconcile import reconcile
from ansible_collections.eternus.backup.plugins.module_utils._backup.reconcile_orders import Orders
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import (
    Cartridge,
    Method,
    PoolKind,
    TapeCopy,
    TapePart,
    TapeState,
)
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.tests.unit.plugins.module_utils.backup.model_array import START

SIZE = 1 << 20
HALF = SIZE // 2


def part(sequence, offset, size, data_file=2, sha256=None):
    return {
        "sequence": sequence,
        "data_file": data_file,
        "data_block": 5,
        "offset": offset,
        "size": size,
        "sha256": sha256 or f"sha-{sequence}",
    }


def copy(backup_id, *parts, sha256="whole", number=1, at=START, device="D" * 32, run="r1", **more):
    return {
        "backup_id": backup_id,
        "copy": number,
        "run": run,
        "array": "ET1",
        "volume": "oradata",
        "device_id": device,
        "point_in_time": at.isoformat(),
        "size": SIZE,
        "sha256": sha256,
        "generation": 1,
        "key": "",
        "parts": list(parts),
        **more,
    }


def cartridge(barcode, *copies, complete=True, pool="pool", uuid=None):
    return {
        "barcode": barcode,
        "uuid": uuid or f"uuid-{barcode}",
        "pool": pool,
        "complete": complete,
        "copies": list(copies),
    }


def whole(backup_id, **more):
    return copy(backup_id, part(0, 0, SIZE), **more)


def run(house, *repair, tapes=(), check=False, **orders):
    kinds = frozenset(REPAIRABLE) if repair == ("everything",) else frozenset(map(DriftKind, repair))
    return reconcile(house.context(check=check), Orders(repair=kinds, tapes=parse_scan(tapes), **orders))


def kinds(result):
    return [row["kind"] for row in result.values["drift"]]


def history(house):
    with house.catalog.read() as records:
        return list(records.backups())


def mended(house, kind, tapes):
    before = house.everything()
    assert not run(house, tapes=tapes).changed
    planned = run(house, kind, tapes=tapes, check=True)
    assert planned.changed and house.everything() == before
    done = run(house, kind, tapes=tapes)
    assert done.changed and done.values["repaired"] == planned.values["repaired"]
    again = run(house, kind, tapes=tapes)
    assert not again.changed and kind not in kinds(again)
    return done


@pytest.fixture
def taped(house):
    """A TV with one generation on disk and its tape copy on cartridge A1 and A2."""
    tv = house.tv("oradata", 2, media="both", tape_pool="pool", generations=1)
    house.cycle("oradata")
    house.clock.sleep(60)
    (backup,) = house.generations("oradata")
    parts = (
        TapePart(0, "A1", 2, 0, HALF, "sha-0", 5),
        TapePart(1, "A2", 2, HALF, HALF, "sha-1", 5),
    )
    with house.catalog.begin() as records:
        for barcode in ("A1", "A2"):
            records.put_cartridge(Cartridge(barcode, f"uuid-{barcode}", "pool", START))
        written = TapeCopy(
            1, TapeState.WRITTEN, "pool", START, written_at=START, bytes_done=SIZE, bytes_total=SIZE,
            sha256="whole", parts=parts,
        )  # fmt: skip
        records.put_tape_copy(backup.id, written)
    house.device = tv.device_id
    house.id, house.at = backup.id, backup.point_in_time
    return house


def as_written(house, **more):
    """What a scan of A1 and A2 tells of the copy of ``taped``."""
    facts = {"device": house.device, "at": house.at, **more}
    return [
        cartridge("A1", copy(house.id, part(0, 0, HALF), sha256="", **facts)),
        cartridge("A2", copy(house.id, part(1, HALF, HALF), **facts)),
    ]


def test_nothing_is_reported_where_tapes_and_catalog_agree(taped):
    result = run(taped, "everything", tapes=as_written(taped))
    assert result.values == {"drift": [], "repaired": [], "clean": True} and not result.changed


def test_what_was_not_scanned_is_not_judged(taped):
    assert kinds(run(taped)) == []
    assert kinds(run(taped, tapes=as_written(taped)[1:])) == []
    assert kinds(run(taped, tapes=[cartridge("A1", complete=False)])) == []


def test_a_lost_history_is_found_again_on_tape_over_several_cartridges(house):
    house.tv("oradata")
    ref = house.by_name["oradata"].ref
    tapes = [
        cartridge("B2", copy("01B", part(1, HALF, HALF), device=ref.device_id)),
        cartridge("B1", copy("01B", part(0, 0, HALF), sha256="", device=ref.device_id), pool="fresh"),
    ]
    seen = run(house, tapes=tapes)
    assert sorted(kinds(seen)) == ["unknown_cartridge", "unknown_cartridge", "unknown_tape_copy"]
    mended(house, "unknown_tape_copy", tapes)
    (backup,) = history(house)
    assert (backup.id, backup.tv, backup.disk, backup.point_in_time) == ("01B", ref, None, START)
    assert (backup.method, backup.copy_type, backup.size) == (Method.SYNCHRONIZED, CopyType.EC, SIZE)
    (leg,) = backup.tape
    assert (leg.state, leg.sha256, leg.bytes_total) == (TapeState.WRITTEN, "whole", SIZE)
    assert [(one.sequence, one.barcode, one.offset) for one in leg.parts] == [(0, "B1", 0), (1, "B2", HALF)]
    with house.catalog.read() as records:
        assert {one.barcode: one.pool for one in records.cartridges()} == {"B1": "fresh", "B2": "pool"}
        (pool,) = records.pools(["fresh"])
    assert pool.kind is PoolKind.PRIVATE
    assert run(house, tapes=tapes).values["clean"]


def test_a_backup_of_a_volume_that_nobody_registered_is_found_again_too(house):
    mended(house, "unknown_tape_copy", [cartridge("B1", whole("01B", method="snapshot"))])
    (backup,) = history(house)
    assert (backup.method, backup.copy_type) == (Method.SNAPSHOT, CopyType.OPC)


def test_two_copies_of_one_backup_are_one_backup(house):
    tapes = [cartridge("B1", whole("01B", number=1)), cartridge("B2", whole("01B", number=2, run="r2"))]
    mended(house, "unknown_tape_copy", tapes)
    (backup,) = history(house)
    assert [leg.number for leg in backup.tape] == [1, 2]


@pytest.mark.parametrize(
    "parts",
    [
        [part(0, 0, HALF)],
        [part(1, HALF, HALF)],
        [part(0, 0, HALF), part(1, HALF, HALF - 512)],
        [part(0, 0, HALF), part(0, 0, HALF), part(1, HALF, HALF)],
    ],
)
def test_a_copy_of_which_a_part_is_missing_is_never_added(house, parts):
    tapes = [cartridge("B1", copy("01B", *parts))]
    result = run(house, "unknown_tape_copy", tapes=tapes)
    assert not result.changed and kinds(result) == ["unknown_cartridge", "partial_tape_copy"]


def test_parts_of_two_writings_are_never_joined(house):
    tapes = [
        cartridge("B1", copy("01B", part(0, 0, HALF), sha256="", run="r1")),
        cartridge("B2", copy("01B", part(1, HALF, HALF), run="r2")),
    ]
    assert not run(house, "unknown_tape_copy", tapes=tapes).changed


def test_a_copy_without_the_checksum_of_the_whole_is_never_added(house):
    assert not run(house, "unknown_tape_copy", tapes=[cartridge("B1", whole("01B", sha256=""))]).changed


def test_a_broken_off_writing_beside_a_whole_one_is_nothing_new(house):
    tapes = [cartridge("B1", copy("01B", part(0, 0, HALF), sha256=""), whole("01B", run="r2"))]
    assert kinds(run(house, tapes=tapes)) == ["unknown_cartridge", "unknown_tape_copy"]


def test_a_cartridge_that_the_catalog_does_not_know_is_added_by_name_of_the_repair(house):
    mended(house, "unknown_cartridge", [cartridge("B1")])
    with house.catalog.read() as records:
        (row,) = records.cartridges()
    assert (row.barcode, row.uuid, row.pool) == ("B1", "uuid-B1", "pool")


def test_another_cartridge_of_the_same_barcode_needs_an_operator_and_its_copies_are_not_added(taped):
    tapes = [cartridge("A1", whole("01B"), uuid="another", complete=False)]
    result = run(taped, "everything", tapes=tapes)
    assert kinds(result)[:2] == ["other_cartridge", "unknown_tape_copy"]
    assert "unknown_tape_copy: backup 01B" not in result.values["repaired"]


def test_a_copy_that_is_not_on_its_cartridge_any_more_has_failed_and_can_be_written_again(taped):
    tapes = [cartridge("A1")]
    mended(taped, "missing_tape_copy", tapes)
    (backup,) = history(taped)
    (leg,) = backup.tape
    assert (leg.state, leg.parts, leg.sha256) == (TapeState.FAILED, (), "")
    assert taped.on("oradata") == ["bv1"]


def only_on_tape(house):
    with house.catalog.begin() as records:
        records.drop_disk([house.id])
        records.free([house.by_name["bv1"].ref])


def test_without_a_disk_copy_a_missing_tape_copy_is_struck_and_its_backup_vanishes(taped):
    only_on_tape(taped)
    mended(taped, "missing_tape_copy", [cartridge("A2")])
    assert history(taped) == []


def test_the_last_copy_of_a_held_backup_is_never_struck(taped):
    only_on_tape(taped)
    with taped.catalog.begin() as records:
        records.set_hold([taped.id], True)
    result = run(taped, "everything", tapes=[cartridge("A2")])
    assert not result.changed and "held" in result.values["drift"][0]["next_step"]


@pytest.mark.parametrize("wrong", ["sum", "part", "size"])
def test_other_checksums_or_sizes_are_suspect_and_not_repaired(taped, wrong):
    tapes = as_written(taped)
    found = tapes[1]["copies"][0]
    if wrong == "sum":
        found["sha256"] = "other"
    elif wrong == "part":
        found["parts"][0]["sha256"] = "other"
    else:
        found["parts"][0]["size"] -= 512
    result = run(taped, "everything", tapes=tapes)
    assert (kinds(result), result.changed) == (["different_tape_copy"], False)
    assert any("suspect" in told for told in result.warnings)


@pytest.mark.parametrize("state", [TapeState.FAILED, TapeState.QUEUED])
def test_a_copy_that_is_whole_on_tape_and_was_not_recorded_is_written_down(taped, state):
    with taped.catalog.begin() as records:
        (backup,) = records.backups()
        records.put_tape_copy(backup.id, replace(backup.tape[0], state=state, parts=(), sha256=""))
    mended(taped, "unknown_tape_copy", as_written(taped))
    (backup,) = history(taped)
    assert backup.good_on_tape and [part.barcode for part in backup.tape[0].parts] == ["A1", "A2"]


def test_a_copy_that_is_being_written_is_left_alone(taped):
    with taped.catalog.begin() as records:
        (backup,) = records.backups()
        records.put_tape_copy(backup.id, replace(backup.tape[0], state=TapeState.WRITING, parts=(), sha256=""))
        records.take_leases([f"tape:{backup.id}:1"], "tape-7", taped.clock.now(), 60)
    result = run(taped, "everything", tapes=as_written(taped))
    assert kinds(result) == [] and not result.changed


def test_a_header_that_contradicts_the_catalog_is_not_believed(taped):
    with taped.catalog.begin() as records:
        records.remove_tape_copies(taped.id, [1])
    tapes = as_written(taped, at=taped.at + timedelta(seconds=1))
    result = run(taped, "everything", tapes=tapes)
    assert kinds(result) == ["unknown_tape_copy"] and not result.changed


def test_what_is_older_than_all_that_is_known_has_expired_and_is_worth_knowing_only(taped):
    old = whole("00A", device=taped.device, at=taped.at - timedelta(days=30), run="r0")
    tapes = [*as_written(taped), cartridge("A0", old)]
    with taped.catalog.begin() as records:
        records.put_cartridge(Cartridge("A0", "uuid-A0", "pool", START))
    result = run(taped, tapes=tapes)
    assert (kinds(result), result.values["clean"]) == (["unknown_tape_copy"], True)
    mended(taped, "unknown_tape_copy", tapes)


def test_tapes_that_are_younger_than_the_catalog_tell_that_it_was_lost(taped):
    new = whole("09Z", device=taped.device, at=taped.at + timedelta(days=1), run="r9")
    tapes = [*as_written(taped), cartridge("A9", new)]
    result = run(taped, tapes=tapes)
    assert [(row["kind"], row["what"]) for row in result.values["drift"]][-1] == ("unexplained_volume", "bv2")
    run(taped, "unexplained_volume", tapes=tapes)
    assert taped.unused() == []


def test_a_key_that_made_a_backup_since_stays_with_that_backup(house):
    tv = house.tv("oradata", 2, generations=1)
    house.equivalent("oradata")
    house.backup("oradata", key="night")
    mended(house, "unknown_tape_copy", [cartridge("B1", whole("01B", device=tv.device_id, key="night"))])
    assert {backup.key for backup in history(house)} == {"night", ""}


def test_tape_drift_is_narrowed_by_transaction_volume(taped):
    assert kinds(run(taped, tapes=[cartridge("A1")], volumes=("oradata",))) == ["missing_tape_copy"]
    assert kinds(run(taped, tapes=[cartridge("A1")], backup_volumes=("bv2",))) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"barcode": 7},
        {"uuid": None},
        {"complete": "yes"},
        {"copies": "none"},
        {"copies": ["x"]},
        {"copies": [{**whole("01B"), "method": "magic"}]},
        {"copies": [{**whole("01B"), "point_in_time": "last night"}]},
        {"copies": [{**whole("01B"), "parts": [{"sequence": 0}]}]},
    ],
)
def test_a_scan_that_is_not_of_the_shape_is_refused(wrong):
    with pytest.raises(BackupError) as caught:
        parse_scan([{**cartridge("B1"), **wrong}])
    assert caught.value.error_class.value == "invalid_option"


def test_a_cartridge_is_named_once():
    with pytest.raises(BackupError):
        parse_scan([cartridge("B1"), cartridge("B1")])


def test_numbers_that_a_template_made_text_of_are_numbers():
    row = {**whole("01B"), "size": str(SIZE), "copy": "1"}
    (found,) = parse_scan([cartridge("B1", row)])
    assert (found.copies[0].size, found.copies[0].number) == (SIZE, 1)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.randoms())
def test_a_copy_is_whole_if_and_only_if_every_part_was_read(lengths, random):
    size, offset, rows = sum(lengths), 0, []
    for number, length in enumerate(lengths):
        last = number == len(lengths) - 1
        one = {**copy("01B", part(number, offset, length), sha256="whole" if last else ""), "size": size}
        rows.append(cartridge(f"C{number}", one))
        offset += length
    random.shuffle(rows)
    (found,) = joined(parse_scan(rows))
    assert found.whole
    dropped = random.randrange(len(rows))
    rest = joined(parse_scan(rows[:dropped] + rows[dropped + 1 :]))
    assert not any(one.whole for one in rest)
