# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two arrays linked: REC and ROPC, and the path between them taken away."""

from __future__ import annotations

import pytest
from eternus_sim.core import media
from eternus_sim.core.array import SimArray
from eternus_sim.core.config import ArrayConfig, Knobs
from eternus_sim.core.model import Code, CopyState, Operation, Refused

EXTENT = 64 * 1024


@pytest.fixture
def peer(tmp_path, bench):
    array = SimArray(tmp_path / "peer", ArrayConfig(model="ET603SA4621309999"))
    bench.array.link(array)
    yield array
    array.close()


def pair(bench, peer):
    (tv,) = bench.make("tv")
    return tv, peer.create_volume("remote", 16 * EXTENT, "TPP0004").device_id


def test_a_remote_mirror_is_right_on_the_other_array_and_shows_on_both(bench, peer):
    tv, remote = pair(bench, peer)
    data = bench.fill(tv, 1)
    session = bench.mirror(tv, remote)
    assert session.remote
    assert peer.volumes[remote].path.read_bytes() == data
    assert [s.key for s in peer.sessions()] == [(tv, remote)]
    bench.array.operate([(tv, remote)], Operation.SPLIT)
    bench.array.write(tv, 0, b"new")
    peer.operate([(tv, remote)], Operation.RESYNC)
    bench.equivalent(tv, remote)
    assert bench.run(tv, remote)["bytes_moved"] == EXTENT


def test_without_the_path_a_mirror_is_partitioned_and_catches_up_afterwards(bench, peer):
    tv, remote = pair(bench, peer)
    bench.mirror(tv, remote)
    bench.array.knobs.peer_reachable = False
    bench.array.write(tv, 0, b"meanwhile")
    assert bench.array.session(tv, remote).copy_state == CopyState.PARTITIONED
    with pytest.raises(Refused) as refused:
        bench.array.operate([(tv, remote)], Operation.RESUME)
    assert refused.value.code == Code.REC_PATH
    bench.array.knobs.peer_reachable = True
    bench.equivalent(tv, remote)
    assert peer.volumes[remote].path.read_bytes()[:9] == b"meanwhile"


def test_without_the_path_nothing_remote_starts_and_force_still_detaches(bench, peer):
    tv, remote = pair(bench, peer)
    bench.mirror(tv, remote)
    peer.knobs.peer_reachable = False
    bench.array.operate([(tv, remote)], Operation.DETACH, force=True)
    with pytest.raises(Refused) as refused:
        bench.array.start_sessions([(tv, remote)], 6)
    assert refused.value.code == Code.REC_PATH


@pytest.mark.parametrize("end", ["near", "far"])
def test_a_remote_copy_wants_its_capability_on_both_arrays(bench, peer, end):
    tv, remote = pair(bench, peer)
    (bench.array if end == "near" else peer).knobs.replication_types = [2, 10]
    for sync_type in (6, 8):
        with pytest.raises(Refused) as refused:
            bench.array.start_sessions([(tv, remote)], sync_type)
        assert refused.value.code == Code.NOT_SUPPORTED


def test_a_remote_clone_is_on_the_other_arrays_device_at_once(bench, peer):
    tv, remote = pair(bench, peer)
    frozen = bench.fill(tv, 1)
    bench.hold()
    bench.array.start_sessions([(tv, remote)], 8)
    bench.array.write(tv, 0, b"later")
    assert peer.volumes[remote].path.read_bytes() == frozen
    bench.go()
    bench.gone(tv, remote)
    assert peer.volumes[remote].path.read_bytes() == frozen


def test_a_remote_clone_that_a_killed_array_was_laying_down_is_finished_when_both_are_there(tmp_path, monkeypatch):
    class Killed(BaseException):
        """What SIGKILL is to the rest of the code."""

    def both():
        knobs = Knobs(copy_rate=1)
        here = SimArray(tmp_path / "here", ArrayConfig(model="ET603SA4621300001", knobs=knobs))
        there = SimArray(tmp_path / "there", ArrayConfig(model="ET603SA4621300002"))
        here.link(there)
        return here, there

    def copy(*_args):
        raise Killed

    here, there = both()
    tv = here.create_volume("tv", 16 * EXTENT, "TPP0004").device_id
    remote = there.create_volume("bv", 16 * EXTENT, "TPP0004").device_id
    here.write(tv, 0, b"x" * 16 * EXTENT)
    monkeypatch.setattr(media, "copy", copy)
    with pytest.raises(Killed):
        here.start_sessions([(tv, remote)], 8)
    monkeypatch.undo()
    for array in (here, there):
        array._copier.stop()
        array.log.close()
    here, there = both()
    assert there.volumes[remote].path.read_bytes() == b"x" * 16 * EXTENT
    here.close()
    there.close()


def test_reversed_a_remote_session_lives_on_the_other_array(bench, peer):
    tv, remote = pair(bench, peer)
    bench.mirror(tv, remote)
    bench.array.operate([(tv, remote)], Operation.SPLIT)
    bench.array.operate([(tv, remote)], Operation.REVERSE)
    peer.write(remote, 0, b"failed over")
    peer.operate([(remote, tv)], Operation.RESYNC)
    bench.equivalent(remote, tv)
    assert bench.bytes(tv)[:11] == b"failed over"


def test_both_restarted_and_linked_again_an_interrupted_remote_copy_goes_on(tmp_path):
    def both():
        here = SimArray(tmp_path / "here", ArrayConfig(model="ET603SA4621300001"))
        there = SimArray(tmp_path / "there", ArrayConfig(model="ET603SA4621300002"))
        here.link(there)
        return here, there

    here, there = both()
    tv = here.create_volume("tv", 16 * EXTENT, "TPP0004").device_id
    remote = there.create_volume("bv", 16 * EXTENT, "TPP0004").device_id
    here.write(tv, 0, b"x" * 16 * EXTENT)
    here.knobs.copy_rate = 1
    here.start_sessions([(tv, remote)], 6)
    here.close()
    there.close()
    here, there = both()
    assert here.wait_for(lambda: here.session(tv, remote).copy_state == CopyState.SYNCHRONIZED, 30)
    assert there.volumes[remote].path.read_bytes() == b"x" * 16 * EXTENT
    here.close()
    there.close()
