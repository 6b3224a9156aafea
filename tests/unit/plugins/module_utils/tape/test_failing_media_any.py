# Copyright (c) 2026, eternus.backup contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wherever one thing fails: the copy comes back, or the error is named, and nothing that was whole is lost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_choose import Wanted
from ansible_collections.eternus.backup.plugins.module_utils._backup.tape_restore import restore
from ansible_collections.eternus.backup.plugins.module_utils._catalog.model import TapeState
from ansible_collections.eternus.backup.plugins.module_utils._errors import BackupError
from ansible_collections.eternus.backup.plugins.module_utils._tape.cartridge import Contents, read_contents
from ansible_collections.eternus.backup.plugins.module_utils._tape.device import open_device
from ansible_collections.eternus.backup.plugins.module_utils._tape.interface import WriteOutcome, WriteProtected
from ansible_collections.eternus.backup.plugins.module_utils._tape.reader import PartToRead, read_image
from ansible_collections.eternus.backup.plugins.module_utils._tape.writer import PartWritten
from ansible_collections.eternus.backup.tests.unit.support.faulty_tape import (
    BAD,
    LOST,
    Failure,
    Fault,
    FaultyLibrary,
    pull,
)
from ansible_collections.eternus.backup.tests.unit.support.tape_bed import MIB, SOURCE, TARGET, Bed, flip, noise
from ansible_collections.eternus.backup.tests.unit.support.tape_house import TapeHouse

ROOM = 3 * MIB  # a label and two blocks, then the early warning
SHORT = 100_000
#: With the bad one in the message, where others were filled after it.
SUSPECT = ("suspect_cartridge", "cartridge_full")
AWAY, FULL = ("tape_unavailable", "busy"), ("cartridge_full", "suspect_cartridge")
FAILURES: dict[str, tuple[Failure | None, bool, Sequence[str]]] = {
    "write error": (BAD, False, SUSPECT),
    "drive offline": (LOST, True, AWAY),
    "drive lost for a moment": (LOST, False, AWAY),
    "pulled": (None, False, AWAY),
    "early warning": (WriteOutcome.EARLY_WARNING, False, FULL),
    "end of medium": (WriteOutcome.END_OF_MEDIUM, False, FULL),
    "write-protected": (WriteProtected(), False, SUSPECT),
}
QUICK = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> TapeHouse:
    """Three cartridges, and a backup that needs all of them."""
    house = TapeHouse(tmp_path_factory.mktemp("template"))
    house.cartridges("A1", "A2", "A3", capacity=ROOM)
    house.backup("NEW", 11)
    return house


def whole_parts(house: TapeHouse, barcode: str) -> dict[str, bytes]:
    """Return what a cartridge's own table of contents lists, as the bytes that lie there; all must be what it says."""
    with house.bed.load(barcode) as drive:
        contents = read_contents(drive)
    assert isinstance(contents, Contents)
    found = {}
    for entry in contents.entries:
        data = house.bed.file(barcode, entry.header.data_file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry.sha256
        found[f"{entry.header.run} {entry.header.part}"] = data
    return found


@QUICK
@given(
    kind=st.sampled_from(sorted(FAILURES)),
    step=st.sampled_from(["put", "any"]),
    at=st.integers(1, 60),
    spares=st.integers(0, 2),
)
def test_after_one_fault_anywhere_in_a_write_over_three_cartridges_the_copy_is_whole_or_the_error_named(
    template: TapeHouse, tmp_path_factory: pytest.TempPathFactory, kind: str, step: str, at: int, spares: int
) -> None:
    house = template.clone(tmp_path_factory.mktemp("house"))
    house.cartridges(*["A4", "A5"][:spares], capacity=ROOM)
    failure, offline, named = FAILURES[kind]
    putting = isinstance(failure, (WriteOutcome, WriteProtected))
    fault = Fault("put" if putting else step, at, failure or BAD, offline=offline)
    library = FaultyLibrary(house.bed.library.path, fault)
    if failure is None:

        def pulled() -> None:  # which drive it is, is known only then
            pull(house.bed.library.path, library.drives[-1][0])()

        fault.failure = pulled
    error = None
    try:
        house.copy(desk=replace(house.desk, library=library))
    except BackupError as caught:
        error = caught
    library.repair()
    vault = house.path / "vault"
    for cartridge in vault.iterdir() if vault.is_dir() else ():
        cartridge.rename(house.path / "library" / cartridge.name)
    copy = house.tape("NEW")
    with house.catalog.read() as records:
        suspects = [one.barcode for one in records.cartridges() if one.suspect]
        assert not records.leases()
    assert house.get("NEW").good_on_disk
    parts = {barcode: whole_parts(house, barcode) for barcode in house.bed.library.barcodes()}
    assert len(suspects) <= 1
    if kind in ("drive offline", "drive lost for a moment", "pulled"):
        assert not suspects
    if error is None:
        assert copy.state is TapeState.WRITTEN
        assert copy.sha256 == hashlib.sha256(house.contents["NEW"]).hexdigest()
        assert not {part.barcode for part in copy.parts} & set(suspects)
        assert all(part.sha256 in _digests(parts[part.barcode]) for part in copy.parts)
        restore(house.context(), house.desk, Wanted(volume="oradata", confirm="oradata"))
        assert house.file(1).read_bytes() == house.contents["NEW"]
    else:
        assert fault.happened
        assert error.error_class.value in named
        assert copy.state is (TapeState.QUEUED if named is AWAY else TapeState.FAILED)
        house.cartridges("A8", "A9", "B1", capacity=ROOM)
        house.copy()
        assert house.tape("NEW").state is TapeState.WRITTEN


def _digests(parts: dict[str, bytes]) -> set[str]:
    return {hashlib.sha256(data).hexdigest() for data in parts.values()}


@pytest.fixture(scope="module")
def spanned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bed, str, list[PartWritten], bytes]:
    """A short backup and one over two cartridges, of which something is damaged in each example."""
    bed = Bed(tmp_path_factory.mktemp("bed"), threads=False)
    data = noise(2 * MIB + 5)
    bed.cartridges("A1", "A2", capacity=ROOM)
    bed.volume(SOURCE, noise(SHORT, 2))
    bed.write(SHORT, "A1", backup_id="B0")
    bed.volume(SOURCE, data)
    sha256, parts = bed.write(len(data), "A1", "A2")
    assert [one.entry.header.cartridge for one in parts] == ["A1", "A2"]
    return bed, sha256, parts, data


@contextmanager
def damaged(file: Path, act: Callable[[], object]) -> Iterator[None]:
    before = file.read_bytes()
    act()
    try:
        yield
    finally:
        file.write_bytes(before)


def outcome(bed: Bed, parts: Sequence[PartToRead], size: int) -> str:
    """Restore, and return the named error, or nothing when the bytes that came back are claimed to be right."""
    bed.volume(TARGET, bytes(size))
    try:
        with open_device(str(bed.devices), TARGET, size, write=True) as device:
            read_image(parts, bed.load, device, lambda _done: None, bed.options)
    except BackupError as error:
        return error.error_class.value
    return ""


@settings(QUICK, max_examples=100)
@given(
    place=st.sampled_from(
        [("A1", 0), ("A1", 3), ("A1", 4), ("A1", 5), ("A1", 6), ("A2", 0), ("A2", 1), ("A2", 2), ("A2", 3)]
    ),
    where=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
)
def test_a_flipped_bit_anywhere_is_named_or_does_no_harm(
    spanned: tuple[Bed, str, list[PartWritten], bytes], place: tuple[str, int], where: float, bit: int
) -> None:
    bed, _sha256, parts, data = spanned
    file = bed.file(*place)
    at = int(where * min(file.stat().st_size, 4000))

    def act() -> None:
        content = bytearray(file.read_bytes())
        content[at] ^= 1 << bit
        file.write_bytes(content)

    with damaged(file, act):
        said = outcome(bed, bed.to_read(parts), len(data))
        assert said in ("", "suspect_cartridge", "checksum_mismatch", "foreign_cartridge", "wrong_pool")
        if place[1] in (2, 5):
            assert said == "checksum_mismatch"
        if not said:
            assert (bed.path / f"volume-{TARGET[-8:]}").read_bytes() == data
        with suppress(BackupError):  # named, whatever it is
            bed.contents(place[0])


@settings(QUICK, max_examples=50)
@given(
    place=st.sampled_from([("A1", 0), ("A1", 4), ("A1", 5), ("A1", 6), ("A2", 1), ("A2", 2), ("A2", 3)]),
    where=st.floats(0, 1, exclude_max=True),
)
def test_a_file_that_was_cut_off_anywhere_is_named_or_does_no_harm(
    spanned: tuple[Bed, str, list[PartWritten], bytes], place: tuple[str, int], where: float
) -> None:
    bed, _sha256, parts, data = spanned
    file = bed.file(*place)
    left = int(where * file.stat().st_size)
    with damaged(file, lambda: file.write_bytes(file.read_bytes()[:left])):
        said = outcome(bed, bed.to_read(parts), len(data))
        assert said in ("", "suspect_cartridge", "foreign_cartridge")
        if place[1] in (2, 5):
            assert said == "suspect_cartridge"
        if not said:
            assert (bed.path / f"volume-{TARGET[-8:]}").read_bytes() == data
        with suppress(BackupError):
            bed.contents(place[0])


def test_the_damage_of_the_examples_is_gone_again(spanned: tuple[Bed, str, list[PartWritten], bytes]) -> None:
    bed, sha256, parts, _data = spanned
    assert bed.verify(parts) == sha256
    flip(bed.file("A1", 5), 0)
    with pytest.raises(BackupError):
        bed.verify(parts)
    flip(bed.file("A1", 5), 0)
