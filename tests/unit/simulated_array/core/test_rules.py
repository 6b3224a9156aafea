# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the array refuses, with which code of array.md, and that a refusal changes nothing."""

from __future__ import annotations

import pytest
from eternus_sim.core.failpoints import FailPoint
from eternus_sim.core.model import Code, CopyState, JobState, Operation, Refused

EXTENT = 64 * 1024


def refused(call):
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.code


def test_an_unknown_volume_is_refused(bench):
    (tv,) = bench.make("tv")
    assert refused(lambda: bench.array.start_sessions([(tv, "F" * 32)], 6)) == Code.UNKNOWN_VOLUME
    assert refused(lambda: bench.array.volume("nobody")) == Code.UNKNOWN_VOLUME


def test_a_mirror_wants_the_same_size_and_a_clone_not_less(bench):
    (small,) = bench.make("small")
    (large,) = bench.make("large", size=17 * EXTENT)
    assert refused(lambda: bench.array.start_sessions([(small, large)], 6)) == Code.SIZE
    assert refused(lambda: bench.array.start_sessions([(large, small)], 8)) == Code.SIZE


def test_a_target_has_one_session(bench):
    one, two, target = bench.make("one", "two", "target")
    bench.mirror(one, target)
    assert refused(lambda: bench.array.start_sessions([(two, target)], 8)) == Code.TARGET_SESSIONS


def test_a_source_has_at_most_its_number_of_sessions_counted_over_the_list(bench):
    tv, *bvs = bench.make("tv", *[f"bv{n}" for n in range(9)])
    assert refused(lambda: bench.array.start_sessions([(tv, bv) for bv in bvs], 6)) == Code.SOURCE_SESSIONS
    assert bench.array.sessions() == []
    bench.array.start_sessions([(tv, bv) for bv in bvs[:8]], 6)
    assert refused(lambda: bench.array.start_sessions([(tv, bvs[8])], 6)) == Code.SOURCE_SESSIONS


def test_the_device_has_its_number_of_sessions(bench):
    bench.array.knobs.max_sessions_device = 1
    one, two, three, four = bench.make("one", "two", "three", "four")
    assert refused(lambda: bench.array.start_sessions([(one, two), (three, four)], 6)) == Code.DEVICE_SESSIONS


def test_a_list_is_started_whole_or_not_at_all(bench):
    one, two, three = bench.make("one", "two", "three")
    (small,) = bench.make("small", size=EXTENT)
    assert refused(lambda: bench.array.start_sessions([(one, two), (three, small)], 6)) == Code.SIZE
    assert bench.array.sessions() == []


def test_a_list_is_split_whole_or_not_at_all(bench):
    one, two, three, four = bench.make("one", "two", "three", "four")
    bench.mirror(one, two)
    bench.hold()
    bench.array.start_sessions([(three, four)], 6)
    assert refused(lambda: bench.array.operate([(one, two), (three, four)], Operation.SPLIT)) == Code.PHASE
    assert bench.array.session(one, two).copy_state == CopyState.SYNCHRONIZED


def test_a_restore_onto_a_mirrored_source_is_refused_until_it_is_suspended(bench):
    tv, bv, other = bench.make("tv", "bv", "other")
    bench.mirror(tv, bv)
    assert refused(lambda: bench.array.start_sessions([(other, tv)], 8)) == Code.CASCADE_NOT_SUSPENDED
    assert refused(lambda: bench.array.start_sessions([(bv, other)], 8)) == Code.CASCADE_NOT_SUSPENDED
    bench.array.operate([(tv, bv)], Operation.SPLIT)
    bench.array.start_sessions([(bv, other)], 8)


def test_a_mirror_onto_a_volume_that_is_being_copied_is_refused(bench):
    tv, bv, other = bench.make("tv", "bv", "other")
    bench.mirror(tv, bv)
    bench.array.operate([(tv, bv)], Operation.SPLIT)
    bench.hold()
    bench.array.start_sessions([(bv, other)], 8)
    assert refused(lambda: bench.array.operate([(tv, bv)], Operation.RESYNC)) == Code.CASCADE_LOCAL
    bench.go()
    bench.gone(bv, other)
    bench.array.operate([(tv, bv)], Operation.RESYNC)


def test_what_is_not_offered_is_refused(bench):
    tv, bv = bench.make("tv", "bv")
    bench.array.knobs.update({"replication_types": [10, 11], "quick_opc": False})
    assert refused(lambda: bench.array.start_sessions([(tv, bv)], 6)) == Code.NOT_SUPPORTED
    assert refused(lambda: bench.array.start_sessions([(tv, bv)], 8, sync_maintained=True)) == Code.NOT_SUPPORTED
    bench.array.start_sessions([(tv, bv)], 8)


def test_names_sizes_and_pools_of_volumes_are_checked_and_a_volume_with_a_session_stays(bench):
    array = bench.array
    tv, bv = bench.make("tv", "bv")
    assert refused(lambda: array.create_volume("tv", EXTENT, "TPP0004")) == Code.NAME_IN_USE
    assert refused(lambda: array.create_volume("x", 513, "TPP0004")) == Code.SIZE
    assert refused(lambda: array.create_volume("x", 1 << 52, "TPP0004")) == Code.SIZE
    assert refused(lambda: array.create_volume("x", EXTENT, "TPP9999")) == Code.INVALID_PARAMETER
    bench.mirror(tv, bv)
    assert refused(lambda: array.delete_volume(bv)) == Code.VOLUME_BUSY
    assert refused(lambda: array.extend_volume(tv, 17 * EXTENT)) == Code.VOLUME_BUSY
    array.operate([(tv, bv)], Operation.DETACH, force=True)
    assert array.extend_volume(tv, 17 * EXTENT).path.stat().st_size == 17 * EXTENT
    array.delete_volume(bv)
    assert "bv" not in {volume.name for volume in array.volumes.values()}


def test_a_volumes_number_stands_in_its_device_id_and_its_link_leads_to_its_bytes(bench):
    (tv,) = bench.make("tv")
    volume = bench.array.volume("tv")
    assert len(tv) == 32
    assert int(tv[24:28], 16) == volume.number
    assert bench.array.volume_by_number(volume.number) is volume
    bench.array.write(tv, 0, b"here")
    link = bench.array.directory / "by-id" / f"wwn-0x{tv.lower()}"
    assert link.read_bytes()[:4] == b"here"


def test_a_refusing_failpoint_strikes_the_nth_call_and_then_no_more(bench):
    one, two, three, four = bench.make("one", "two", "three", "four")
    bench.array.failpoints.add(FailPoint(on="start_sessions", action="refuse", code=32787, after=2))
    bench.array.start_sessions([(one, two)], 6)
    assert refused(lambda: bench.array.start_sessions([(three, four)], 6)) == Code.DEVICE_BUSY
    bench.array.start_sessions([(three, four)], 6)


def test_a_session_breaks_at_the_percentage_that_is_ordered(bench):
    tv, bv = bench.make("tv", "bv", size=100 * EXTENT)
    bench.array.knobs.copy_rate = 200 * EXTENT
    bench.array.failpoints.add(FailPoint(on="copy", action="break_session", at=60, match={"target": bv}))
    bench.array.start_sessions([(tv, bv)], 6)
    session = bench.wait(tv, bv, lambda s: s.copy_state == CopyState.BROKEN)
    assert 60 <= session.percent < 100


def test_a_list_of_sessions_lags_as_far_as_it_is_told_and_single_ones_do_not(bench):
    tv, bv = bench.make("tv", "bv")
    bench.array.knobs.stale_seconds = 3600.0
    bench.mirror(tv, bv)
    assert bench.array.sessions() == []
    assert bench.array.session(tv, bv).copy_state == CopyState.SYNCHRONIZED
    assert len(bench.array.sessions(stale=False)) == 1
    bench.array.knobs.stale_seconds = 0.0
    assert len(bench.array.sessions()) == 1


def test_a_job_acts_later_and_its_refusal_is_its_error_code(bench):
    tv, bv = bench.make("tv", "bv")
    good = bench.array.submit("start", lambda: bench.array.start_sessions([(tv, bv)], 6))
    bad = bench.array.submit("start", lambda: bench.array.start_sessions([(tv, tv)], 6))
    assert bench.array.wait_for(lambda: bad.state == JobState.EXCEPTION, 30)
    assert bad.error_code == Code.INVALID_PARAMETER
    assert good.state == JobState.COMPLETED
    assert [session.key for session in good.result] == [(tv, bv)]


def test_a_knob_of_another_kind_changes_nothing(bench):
    with pytest.raises(ValueError, match="latency"):
        bench.array.knobs.update({"copy_rate": 5, "latency": "slow"})
    assert bench.array.knobs.copy_rate == 0
