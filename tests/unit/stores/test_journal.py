"""The journal: what was acknowledged is there; a torn tail is cut; any other damage is refused by name."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

import pytest

from seenby.errors import LedgerFailed
from seenby.stores.journal import (
    GROUP_HEADER,
    SEGMENT_HEADER,
    JournalReader,
    JournalWriter,
    Place,
    Record,
    encode_record,
    read_group,
)

NOW = 1795338000.0
GROUPS = [
    [(b"first", b"")],
    [(b"second", b"private"), (b"third", bytes(300))],
    [(b"SBg2 looks like a header", b"SBg2" * 5)],
]


def write(directory: Path, groups: list[list[tuple[bytes, bytes]]], segment_bytes: int = 1 << 20) -> None:
    directory.mkdir(exist_ok=True)
    reader, _ = read(directory)
    writer = JournalWriter(directory, reader, clock=lambda: NOW, segment_bytes=segment_bytes)
    for group in groups:
        writer.append(b"".join(encode_record(entry, private) for entry, private in group), len(group))
    writer.close()


def read(directory: Path) -> tuple[JournalReader, list[Record]]:
    reader = JournalReader(directory)
    return reader, [record for group in reader.groups() for record in group]


def expected(groups: list[list[tuple[bytes, bytes]]]) -> list[Record]:
    return [
        Record(index, entry, private)
        for index, (entry, private) in enumerate(record for group in groups for record in group)
    ]


def only_file(directory: Path) -> Path:
    (path,) = directory.iterdir()
    return path


def starts(path: Path) -> list[int]:
    """Where each group starts, and where the last one ends."""
    data, at = path.read_bytes(), SEGMENT_HEADER.size
    found = [at]
    while at < len(data):
        at += GROUP_HEADER.size + int.from_bytes(data[at + 4 : at + 8], "big") + 32
        found.append(at)
    return found


def test_written_is_read(tmp_path: Path) -> None:
    write(tmp_path / "j", GROUPS)
    write(tmp_path / "j", GROUPS)
    assert read(tmp_path / "j")[1] == expected(GROUPS + GROUPS)


def test_golden_bytes(tmp_path: Path) -> None:
    """docs/formats/ledger.md, "Journal"; computed by hand."""
    write(tmp_path / "j", GROUPS[:1])
    data = only_file(tmp_path / "j").read_bytes()
    assert data[:56].hex() == b"seenby/journal/1".hex() + "00" * 8 + "00" * 32
    assert data[56:80].hex() == b"SBg2".hex() + "0000000b" + "0000000000000000" + "000001a2027bd680"
    assert data[80:84] == zlib.crc32(data[56:80]).to_bytes(4, "big")
    assert data[84:95].hex() == "0005" + b"first".hex() + "00000000"
    assert data[95:] == hashlib.sha256(bytes(32) + data[56:95]).digest()


def test_segments_follow_each_other(tmp_path: Path) -> None:
    write(tmp_path / "j", GROUPS * 4, segment_bytes=400)
    names = sorted(path.name for path in (tmp_path / "j").iterdir())
    assert len(names) > 2
    assert names[0] == "0" * 20 + ".journal"
    assert read(tmp_path / "j")[1] == expected(GROUPS * 4)
    write(tmp_path / "j", GROUPS, segment_bytes=400)
    assert read(tmp_path / "j")[1] == expected(GROUPS * 5)


def test_a_tail_torn_at_any_byte_is_cut_and_writing_goes_on(tmp_path: Path) -> None:
    write(tmp_path / "whole", GROUPS)
    path = only_file(tmp_path / "whole")
    data, (_, _, last, end) = path.read_bytes(), starts(path)
    for length in range(last, end):
        directory = tmp_path / f"cut{length}"
        directory.mkdir()
        (directory / path.name).write_bytes(data[:length])
        assert read(directory)[1] == expected(GROUPS[:2])
        write(directory, GROUPS[2:])
        assert (directory / path.name).read_bytes() == data


def test_space_reserved_for_groups_to_come_is_no_damage(tmp_path: Path) -> None:
    """A writer that was killed leaves zeros behind its last group; a reader beside a live one sees them too."""
    write(tmp_path / "whole", GROUPS)
    path = only_file(tmp_path / "whole")
    data, (_, _, last, end) = path.read_bytes(), starts(path)
    for length in range(last, end + 1):
        torn = data[:length] + bytes(5000)
        path.write_bytes(torn)
        whole = torn.startswith(data)  # what is missing may have been zeros
        assert read(tmp_path / "whole")[1] == expected(GROUPS if whole else GROUPS[:2])
    write(tmp_path / "whole", GROUPS[:1])
    assert read(tmp_path / "whole")[1] == expected(GROUPS + GROUPS[:1])


def test_holes_in_the_last_group_are_a_torn_tail(tmp_path: Path) -> None:
    """After a power cut the file may have its length but not its content."""
    write(tmp_path / "whole", GROUPS)
    path = only_file(tmp_path / "whole")
    data, (_, _, last, end) = path.read_bytes(), starts(path)
    for low, high in ((last, end), (last, last + 20), (last + 20, end), (last + 30, last + 40), (end - 9, end)):
        path.write_bytes(data[:low] + bytes(high - low) + data[high:])
        assert read(tmp_path / "whole")[1] == expected(GROUPS[:2])


def test_a_torn_segment_header_is_cut(tmp_path: Path) -> None:
    write(tmp_path / "j", GROUPS)
    second = tmp_path / "j" / f"{4:020}.journal"
    for length in (0, 1, SEGMENT_HEADER.size - 1, SEGMENT_HEADER.size):
        second.write_bytes(bytes(length))
        assert read(tmp_path / "j")[1] == expected(GROUPS)
    write(tmp_path / "j", GROUPS[:1], segment_bytes=100)
    assert read(tmp_path / "j")[1] == expected([*GROUPS, GROUPS[0]])


def test_a_flipped_bit_before_the_last_group_is_refused_with_its_place(tmp_path: Path) -> None:
    write(tmp_path / "j", GROUPS)
    path = only_file(tmp_path / "j")
    data, groups = path.read_bytes(), starts(path)
    for at in range(groups[2]):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        place = max([0, *(start for start in groups if start <= at)])
        with pytest.raises(LedgerFailed, match=rf"{path.name} is damaged at byte {place}: "):
            read(tmp_path / "j")


def test_a_damaged_end_of_an_earlier_segment_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "j", GROUPS * 2, segment_bytes=400)
    first = min((tmp_path / "j").iterdir())
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(LedgerFailed, match=f"{first.name} is damaged at byte"):
        read(tmp_path / "j")


def test_a_missing_or_renamed_segment_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "j", GROUPS * 4, segment_bytes=400)
    names = sorted((tmp_path / "j").iterdir())
    data = names[1].read_bytes()
    names[1].unlink()
    with pytest.raises(LedgerFailed, match="does not continue the one before"):
        read(tmp_path / "j")
    names[1].with_name(f"{5:020}.journal").write_bytes(data)
    with pytest.raises(LedgerFailed, match=r"does not continue|should be named"):
        read(tmp_path / "j")


def test_reading_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "j", GROUPS)
    path = only_file(tmp_path / "j")
    torn = path.read_bytes()[:-5]
    path.write_bytes(torn)
    read(tmp_path / "j")
    assert path.read_bytes() == torn


@pytest.mark.parametrize("what", ["removed", "replaced", "moved with its directory"])
def test_a_file_that_is_not_there_any_more_ends_the_writing(tmp_path: Path, what: str) -> None:
    """Bytes of a removed file are durable, and gone at the next start."""
    directory = tmp_path / "j"
    write(directory, GROUPS)
    writer = JournalWriter(directory, read(directory)[0], clock=lambda: NOW)
    payload = encode_record(b"entry", b"")
    writer.append(payload, 1)
    path = only_file(directory)
    if what == "moved with its directory":
        directory.rename(tmp_path / "k")
    else:
        path.unlink()
    if what == "replaced":
        path.write_bytes(b"")
    with pytest.raises(OSError, match=r"No such file|was replaced"):
        writer.append(payload, 1)


def test_a_groups_time_never_falls_not_even_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "j").mkdir()
    times = []
    for seconds in (5.0, 4.0, 6.5, 2.0):
        writer = JournalWriter(tmp_path / "j", read(tmp_path / "j")[0], clock=lambda now=seconds: now)  # type: ignore[misc]
        times.append(writer.append(encode_record(b"entry", b""), 1)[1])
        writer.close()
    assert times == [5000, 5000, 6500, 6500]
    assert [group.time for group in JournalReader(tmp_path / "j").groups()] == times


@pytest.mark.parametrize("segment_bytes", [1 << 20, 400, 100])
def test_reading_starts_and_ends_anywhere(tmp_path: Path, segment_bytes: int) -> None:
    directory = tmp_path / "j"
    write(directory, GROUPS * 3, segment_bytes)
    reader = JournalReader(directory)
    places = [Place()]
    for group in reader.groups():
        assert read_group(directory, group.place.index, group.place.segment, group.place.offset).pairs == group.pairs
        places.append(reader.place)
    every = expected(GROUPS * 3)
    for first in places:
        place = Place.decode(first.encode())
        assert [r for group in JournalReader(directory, place).groups() for r in group] == every[place.index :]
        for last in places:
            if first.index <= last.index:
                part = JournalReader(directory, place)
                found = [record for group in part.groups(last.index) for record in group]
                assert found == every[place.index : last.index]
                assert part.place.index == last.index


def test_what_stands_before_the_place_must_be_what_stood_there(tmp_path: Path) -> None:
    directory = tmp_path / "j"
    write(directory, GROUPS)
    reader, _ = read(directory)
    with pytest.raises(LedgerFailed, match="has 4 entries instead of 5"):
        list(JournalReader(directory, reader.place).groups(5))
    path = only_file(directory)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(LedgerFailed, match="another group stands before it"):
        list(JournalReader(directory, reader.place).groups())
    path.unlink()
    with pytest.raises(LedgerFailed, match="is missing"):
        list(JournalReader(directory, reader.place).groups())
    with pytest.raises(FileNotFoundError):
        read_group(directory, 0, 0, SEGMENT_HEADER.size)


def test_random_access_names_a_place_without_a_group(tmp_path: Path) -> None:
    directory = tmp_path / "j"
    write(directory, GROUPS)
    with pytest.raises(LedgerFailed, match=r"byte 57: the group of entry 0 does not stand there"):
        read_group(directory, 0, 0, SEGMENT_HEADER.size + 1)
    with pytest.raises(LedgerFailed, match=r"the group of entry 1 does not stand there"):
        read_group(directory, 1, 0, SEGMENT_HEADER.size)
