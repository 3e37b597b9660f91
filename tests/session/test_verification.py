"""Damage to the audit files is found and named."""

from __future__ import annotations

import hashlib
import json
import os
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anyctrader.session.audit_files import AuditFiles
from anyctrader.session.chain import Chain, Fact, Tail, encode_fields
from anyctrader.session.day_files import files_of
from anyctrader.session.disk import Disk
from anyctrader.session.stories import lines_of
from anyctrader.session.verification import Damage, remarks, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

AT_MS = 1_795_376_400_123
DAY_MS = 86_400_000


def lines(count: int = 10, *, days: Sequence[int] = ()) -> list[bytes]:
    """Lines of demo and, every third, of live; every three of them of one of these days."""
    chain = Chain()
    written = []
    for n in range(count):
        at_ms = AT_MS + n + (DAY_MS * days[n // 3] if days else 0)
        written.append(
            chain.append(Fact("live" if n % 3 == 2 else "demo", at_ms, "filled", encode_fields({"order_id": n})))
        )
    return written


def head(written: list[bytes]) -> bytes:
    stand = {}
    for each in map(json.loads, written):
        stand[each["environment"]] = {"seq": each["seq"], "hash": each["hash"]}
    return json.dumps(stand).encode()


def folder_of(path: Path, content: list[bytes], whole: list[bytes] | None = None) -> Path:
    path.mkdir(exist_ok=True)
    (path / "order_audit.jsonl").write_bytes(b"".join(content))
    (path / ".order_audit.head.json").write_bytes(head(whole if whole is not None else lines()))
    (path / "position_snapshot.jsonl").touch()
    (path / ".position_snapshot.head.json").write_bytes(b"{}")
    return path


def without_places(written: list[bytes], chain: Chain | None = None) -> list[bytes]:
    """The same lines as a version wrote them that knew no places; the chain, if one is given, goes on with them."""
    tails = chain.tails if chain is not None else {}
    without = []
    for each in map(json.loads, written):
        tail = tails.get(each["environment"], Tail())
        members = {name: value for name, value in each.items() if name not in ("place", "hash")}
        body = json.dumps(members | {"seq": tail.seq + 1, "prev": tail.hash}, separators=(",", ":")).encode()
        digest = hashlib.sha256(body).hexdigest()
        without.append(body[:-1] + f',"hash":"{digest}"}}\n'.encode())
        tails[each["environment"]] = Tail(tail.seq + 1, digest)
    return without


def kinds(damages: list[Damage]) -> list[tuple[str, int, int | None]]:
    return [(damage.kind, damage.line_number, damage.seq) for damage in damages]


def test_untouched_files_show_no_damage(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, lines())
    assert verify(folder) == []
    assert verify(folder / "order_audit.jsonl") == []
    assert verify(str(folder)) == []


def test_a_changed_line_is_named_and_nothing_else_is(tmp_path: Path) -> None:
    content = lines()
    content[4] = content[4].replace(b'"order_id":4', b'"order_id":5')
    (damage,) = verify(folder_of(tmp_path, content))
    assert (damage.kind, damage.line_number, damage.environment, damage.seq) == ("changed", 5, "demo", 4)
    assert str(damage) == (
        "order_audit.jsonl:5: changed: line 4 of demo does not have the content that its hash was made of"
    )


def test_a_changed_sequence_number_is_one_damage(tmp_path: Path) -> None:
    content = lines()
    content[4] = content[4].replace(b'"seq":4', b'"seq":9')
    assert kinds(verify(folder_of(tmp_path, content))) == [("changed", 5, 9)]


@pytest.mark.parametrize("at", [0, 3])
def test_a_line_moved_to_another_environment_is_one_damage(tmp_path: Path, at: int) -> None:
    content = lines()
    content[at] = content[at].replace(b'"demo"', b'"prod"')
    assert [damage.line_number for damage in verify(folder_of(tmp_path, content))] == [at + 1]


def test_a_replaced_line_with_a_hash_of_its_own_shows_at_the_next(tmp_path: Path) -> None:
    content = lines()
    forger = Chain()
    for n in range(3):
        forger.append(Fact("demo", AT_MS + n, "filled", encode_fields({"order_id": n})))
    content[4] = forger.append(Fact("demo", AT_MS, "filled", encode_fields({"order_id": 99})))
    damages = verify(folder_of(tmp_path, content))
    assert {damage.kind for damage in damages} == {"changed"}
    assert {damage.line_number for damage in damages} == {5, 7}


def test_a_replaced_last_line_shows_by_the_head(tmp_path: Path) -> None:
    content = lines()
    chain = Chain()
    for n in range(9):
        chain.append(Fact("live" if n % 3 == 2 else "demo", AT_MS + n, "filled", encode_fields({"order_id": n})))
    content[9] = chain.append(Fact("demo", AT_MS, "filled", encode_fields({"order_id": 99})))
    assert kinds(verify(folder_of(tmp_path, content))) == [("changed", 10, 7)]


def test_a_missing_line_is_named_where_the_gap_is(tmp_path: Path) -> None:
    content = lines()
    del content[4]
    (damage,) = verify(folder_of(tmp_path, content))
    assert (damage.kind, damage.line_number, damage.environment, damage.seq) == ("missing", 6, "demo", 4)
    assert "line 4 of demo is not here" in damage.what


def test_several_missing_lines_are_told_as_a_span(tmp_path: Path) -> None:
    content = lines()
    (damage,) = verify(folder_of(tmp_path, [content[0], content[2], *content[5:]]))
    assert "lines 2 to 4 of demo are not here" in damage.what


def test_missing_first_lines_show_in_a_folder_and_not_in_a_file_alone(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, lines()[3:])
    assert [(damage.environment, damage.seq) for damage in verify(folder)] == [("demo", 1), ("live", 1)]
    (folder / ".order_audit.head.json").unlink()
    assert verify(folder / "order_audit.jsonl") == []


@pytest.mark.parametrize("lost", [1, 2, 10])
def test_missing_last_lines_show_by_the_head(tmp_path: Path, lost: int) -> None:
    damages = verify(folder_of(tmp_path, lines()[:-lost]))
    assert damages
    assert {damage.kind for damage in damages} == {"missing"}


def test_lines_that_changed_places_are_out_of_order(tmp_path: Path) -> None:
    content = lines()
    content[3], content[4] = content[4], content[3]
    (damage,) = verify(folder_of(tmp_path, content))
    assert (damage.kind, damage.line_number, damage.seq) == ("reordered", 5, 3)
    assert "comes after line 4" in damage.what


def test_lines_of_different_environments_that_changed_places_are_out_of_order(tmp_path: Path) -> None:
    content = lines()
    content[4], content[5] = content[5], content[4]
    folder = folder_of(tmp_path, content)
    for path in (folder, folder / "order_audit.jsonl"):
        assert [str(damage) for damage in verify(path)] == [
            "order_audit.jsonl:6: reordered: line 4 of demo comes after line 2 of live, which was written later"
        ]


def test_all_lines_of_an_environment_behind_those_of_the_other_are_named(tmp_path: Path) -> None:
    written = [json.loads(line)["environment"] for line in lines()]
    content = sorted(lines(), key=lambda line: json.loads(line)["environment"])
    assert written != [json.loads(line)["environment"] for line in content]
    assert kinds(verify(folder_of(tmp_path, content))) == [("reordered", n, n - 7) for n in (8, 9, 10)]


def test_a_missing_line_of_one_environment_puts_none_of_the_other_out_of_place(tmp_path: Path) -> None:
    content = lines()
    for gone in range(10):
        damages = verify(folder_of(tmp_path, content[:gone] + content[gone + 1 :]))
        assert {damage.kind for damage in damages} == {"missing"}


def test_the_order_of_lines_is_checked_from_where_an_older_version_stopped_to_tell_it(tmp_path: Path) -> None:
    chain = Chain()
    old = without_places(lines(), chain)
    new = [chain.append(Fact("live" if n % 2 else "demo", AT_MS + n, "filled")) for n in range(6)]
    older = without_places(lines(6), chain)  # for a while, the older version again
    newest = [chain.append(Fact("live" if n % 2 else "demo", AT_MS + n, "filled")) for n in range(6)]
    content = [*old, *new, *older, *newest]
    assert verify(folder_of(tmp_path, content, content)) == []
    for at in (10, 14, 22, 26):
        moved = [*content[:at], content[at + 1], content[at], *content[at + 2 :]]
        (damage,) = verify(folder_of(tmp_path, moved, content))
        assert (damage.kind, damage.line_number) == ("reordered", at + 2)


def test_lines_of_different_environments_without_a_place_may_be_in_any_order(tmp_path: Path) -> None:
    content = without_places(lines())
    assert verify(folder_of(tmp_path, content, content)) == []
    content[1], content[2] = content[2], content[1]
    assert verify(folder_of(tmp_path, content, content)) == []


def test_a_line_that_is_there_twice_is_named(tmp_path: Path) -> None:
    content = lines()
    content.insert(6, content[4])
    (damage,) = verify(folder_of(tmp_path, content))
    assert (damage.kind, damage.line_number, damage.seq) == ("reordered", 7, 4)
    assert "twice" in damage.what


def test_a_torn_last_line_is_named_and_counts_as_the_line_that_is_missing(tmp_path: Path) -> None:
    content = lines()
    content[9] = content[9][:-30]
    assert kinds(verify(folder_of(tmp_path, content))) == [("torn", 10, None)]


def test_an_unreadable_line_counts_as_the_line_that_is_missing(tmp_path: Path) -> None:
    content = lines()
    content[4] = b"\0" * 100 + b"\n"
    assert kinds(verify(folder_of(tmp_path, content))) == [("torn", 5, None)]


def test_several_damages_come_in_the_order_of_the_lines(tmp_path: Path) -> None:
    content = lines()
    content[9] = content[9][:-1]
    content[6] = content[6].replace(b"filled", b"killed")
    del content[1]
    assert [(damage.kind, damage.line_number) for damage in verify(folder_of(tmp_path, content))] == [
        ("missing", 3),
        ("changed", 6),
        ("torn", 9),
    ]


def test_the_chain_runs_on_from_file_to_file(tmp_path: Path) -> None:
    content = lines(12)
    folder = folder_of(tmp_path, content[9:], content)
    (folder / "order_audit.2026-11-22.jsonl").write_bytes(b"".join(content[:3]))
    (folder / "order_audit.2026-11-22.9.jsonl").write_bytes(b"".join(content[3:6]))
    (folder / "order_audit.2026-11-22.10.jsonl").write_bytes(b"".join(content[6:9]))
    (folder / "order_audit.2026-11-22T00-00-00.000Z.4.torn").write_bytes(b"{")
    assert [path.name for path in files_of(folder, "order_audit")] == [
        "order_audit.2026-11-22.jsonl",
        "order_audit.2026-11-22.9.jsonl",
        "order_audit.2026-11-22.10.jsonl",
        "order_audit.jsonl",
    ]
    assert verify(folder) == []
    assert verify(folder / "order_audit.2026-11-22.9.jsonl") == []
    (folder / "order_audit.2026-11-22.9.jsonl").unlink()
    damages = verify(folder)
    assert {damage.kind for damage in damages} == {"missing"}
    assert {damage.file for damage in damages} == {"order_audit.2026-11-22.10.jsonl"}


def written_days(folder: Path) -> list[Path]:
    """Four days of a real writer, the last of them in the current file; each begins with lines of the day before."""
    files = AuditFiles(folder, disk=Disk(), sandbox=False, reserve_bytes=0, now_ms=AT_MS)
    for day in range(4):
        for n in range(3):
            at_ms = AT_MS + day * DAY_MS + n
            waited_ms = DAY_MS if not n else 1
            group = [Fact("live", at_ms, "intent"), Fact("demo", at_ms - waited_ms, "intent")]
            files.commit_orders(group)
            files.commit_snapshots(group[:1] if day == 1 else group[1:])
    files.close()
    return files_of(folder, "order_audit")


def test_days_as_they_were_written_show_no_damage(tmp_path: Path) -> None:
    days = written_days(tmp_path)
    assert [path.name[12:22] for path in days] == ["2026-11-22", "2026-11-23", "2026-11-24", "jsonl"]
    assert verify(tmp_path) == []
    assert [verify(path) for path in days] == [[]] * 4


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_lines_that_went_from_the_end_of_a_day_to_the_next_or_back_are_found(
    tmp_path: Path, data: st.DataObject
) -> None:
    folder = tmp_path / "days"
    days = files_of(folder, "order_audit") if folder.exists() else written_days(folder)
    whole = [path.read_bytes() for path in days]
    content = b"".join(whole).splitlines(keepends=True)
    ends = [sum(each.count(b"\n") for each in whole[: n + 1]) for n in range(len(days))]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), min_size=3, max_size=3)))
    try:
        for path, start, end in zip(days, [0, *cuts], [*cuts, len(content)], strict=True):
            path.write_bytes(b"".join(content[start:end]))
        damages = verify(folder)
    finally:
        for path, each in zip(days, whole, strict=True):
            path.write_bytes(each)
    assert {damage.kind for damage in damages} == ({"reordered"} if cuts != ends[:3] else set())


def test_the_end_of_a_day_in_the_file_of_the_next_is_named(tmp_path: Path) -> None:
    first, second, *_ = written_days(tmp_path)
    content = first.read_bytes().splitlines(keepends=True)
    first.write_bytes(b"".join(content[:5]))
    second.write_bytes(b"".join(content[5:]) + second.read_bytes())
    assert [str(damage) for damage in verify(tmp_path)] == [
        f"{second.name}:1: reordered: line 4 of live did not begin its file: "
        "what was ahead of it there is in another one",
        f"{second.name}:3: reordered: line 5 of live began its file: what is ahead of it here was in another one",
    ]
    assert [damage.line_number for damage in verify(second)] == [3]


def test_a_file_whose_first_line_is_gone_or_unreadable_is_one_damage(tmp_path: Path) -> None:
    _, second, *_ = written_days(tmp_path)
    whole = second.read_bytes()
    second.write_bytes(whole[whole.index(b"\n") + 1 :])
    assert [damage.kind for damage in verify(tmp_path)] == ["missing"]
    second.write_bytes(b"x" + whole)
    assert [damage.kind for damage in verify(tmp_path)] == ["torn"]
    second.write_bytes(b"x\n" + whole)
    assert [damage.kind for damage in verify(tmp_path)] == ["torn"]


def test_the_position_snapshots_are_checked_too(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, lines())
    (folder / "position_snapshot.jsonl").write_bytes(b"".join(lines()[1:]))
    assert {damage.file for damage in verify(folder)} == {"position_snapshot.jsonl"}


@pytest.mark.parametrize("content", [b"x", b"[]", b'{"demo":1}', b'{"demo":{}}', b'{"demo":{"seq":"1","hash":"x"}}'])
def test_a_head_that_cannot_be_read_is_a_damage(tmp_path: Path, content: bytes) -> None:
    folder = folder_of(tmp_path, lines())
    (folder / ".order_audit.head.json").write_bytes(content)
    (damage,) = verify(folder)
    assert damage.file == ".order_audit.head.json"
    assert damage.kind == "torn"


def test_without_a_head_the_lines_alone_are_checked(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, lines()[:-1])
    (folder / ".order_audit.head.json").unlink()
    assert verify(folder) == []


@pytest.mark.parametrize(
    ("stem", "other_has_lines"), [("order_audit", True), ("order_audit", False), ("position_snapshot", True)]
)
def test_all_lines_of_a_file_that_is_gone_are_missing_by_its_head(
    tmp_path: Path, stem: str, other_has_lines: bool
) -> None:
    for each in ("order_audit", "position_snapshot"):
        written = lines() if each == stem or other_has_lines else []
        (tmp_path / f"{each}.jsonl").write_bytes(b"".join(written))
        (tmp_path / f".{each}.head.json").write_bytes(head(written))
    assert verify(tmp_path) == []
    (tmp_path / f"{stem}.jsonl").unlink()
    assert [str(damage) for damage in verify(tmp_path)] == [
        f"{stem}.jsonl:1: missing: lines 1 to 7 of demo are not here",
        f"{stem}.jsonl:1: missing: lines 1 to 3 of live are not here",
    ]


def test_an_audit_that_is_gone_with_all_that_tells_of_it_is_missing_beside_its_snapshots(tmp_path: Path) -> None:
    (tmp_path / "position_snapshot.jsonl").write_bytes(b"".join(lines()))
    (damage,) = verify(tmp_path)
    assert (damage.file, damage.kind) == ("order_audit.jsonl", "missing")
    assert "it is gone, and what tells where it stood too" in damage.what


def test_snapshots_that_are_gone_with_all_that_tells_of_them_are_missing_beside_their_audit(tmp_path: Path) -> None:
    written_days(tmp_path)
    for path in [*tmp_path.glob("position_snapshot*"), tmp_path / ".position_snapshot.head.json"]:
        path.unlink()
    assert [str(damage) for damage in verify(tmp_path)] == [
        "position_snapshot.jsonl:1: missing: it is gone, and what tells where it stood too: "
        "order_audit.jsonl is never written without it"
    ]
    assert remarks(tmp_path) == []


def test_days_that_were_put_away_need_no_snapshots_and_an_audit_without_lines_neither(tmp_path: Path) -> None:
    written_days(tmp_path / "desk")
    (tmp_path / "away").mkdir()
    for path in files_of(tmp_path / "desk", "order_audit")[:2]:
        path.rename(tmp_path / "away" / path.name)
    assert verify(tmp_path / "away") == []
    assert {damage.kind for damage in verify(tmp_path / "desk")} == {"missing"}
    assert {damage.seq for damage in verify(tmp_path / "desk")} == {1}
    # Killed in the middle of its first start, a writer leaves the one without the other.
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "order_audit.jsonl").touch()
    (tmp_path / "begun" / ".order_audit.head.json").write_bytes(b"{}")
    assert verify(tmp_path / "begun") == []


def test_a_head_that_cannot_be_read_is_a_damage_without_files_too(tmp_path: Path) -> None:
    (tmp_path / ".order_audit.head.json").write_bytes(b"x")
    assert [(damage.file, damage.kind) for damage in verify(tmp_path)] == [
        ("position_snapshot.jsonl", "missing"),
        (".order_audit.head.json", "torn"),
    ]


def test_a_head_that_tells_of_no_lines_misses_none(tmp_path: Path) -> None:
    for content in (b"", b"{}"):
        (tmp_path / ".order_audit.head.json").write_bytes(content)
        with pytest.raises(FileNotFoundError, match="order_audit"):
            verify(tmp_path)


def test_where_there_is_no_audit_that_is_an_error_and_not_a_clean_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="order_audit"):
        verify(tmp_path)
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "order_audit.jsonl")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_one_byte_of_any_line_is_found_at_that_line_or_the_next(
    tmp_path: Path, data: st.DataObject
) -> None:
    content = lines()
    number = data.draw(st.integers(0, len(content) - 1))
    at = data.draw(st.integers(0, len(content[number]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != content[number][at]))
    content[number] = content[number][:at] + bytes([byte]) + content[number][at + 1 :]
    damages = verify(folder_of(tmp_path, content))
    assert damages
    assert damages[0].line_number in (number + 1, number + 2)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_lines_taken_out_or_moved_are_found(tmp_path: Path, data: st.DataObject) -> None:
    content = lines()
    gone = data.draw(st.sets(st.integers(0, 9), min_size=1))
    assert verify(folder_of(tmp_path, [line for n, line in enumerate(content) if n not in gone]))

    moved = data.draw(st.permutations(content))
    assert bool(verify(folder_of(tmp_path, moved))) == (moved != content)


def test_a_file_that_a_clock_set_back_named_ahead_of_an_earlier_one_is_read_in_its_place(tmp_path: Path) -> None:
    content = lines(12, days=(-1, 0, -3, 0))
    folder = folder_of(tmp_path, content[9:], content)
    (folder / "order_audit.2026-11-21.jsonl").write_bytes(b"".join(content[:3]))
    (folder / "order_audit.2026-11-22.jsonl").write_bytes(b"".join(content[3:6]))
    (folder / "order_audit.2026-11-19.jsonl").write_bytes(b"".join(content[6:9]))
    assert verify(folder) == []
    (folder / "order_audit.2026-11-19.jsonl").write_bytes(b"".join([content[7], content[6], content[8]]))
    assert [damage.kind for damage in verify(folder)] == ["reordered"]


def exchange(one: Path, other: Path) -> None:
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def test_days_whose_names_were_exchanged_are_named(tmp_path: Path) -> None:
    first, _, third, _ = written_days(tmp_path)
    exchange(first, third)
    assert [str(damage) for damage in verify(tmp_path)] == [
        f"{third.name}:1: reordered: it has the name of 2026-11-24, and no line in it is of that day: "
        "its lines are of 2026-11-21 to 2026-11-22",
        f"{first.name}:1: reordered: it has the name of 2026-11-22, and no line in it is of that day: "
        "its lines are of 2026-11-23 to 2026-11-24",
    ]
    assert [damage.file for damage in verify(third)] == [third.name]


@pytest.mark.parametrize("stem", ["order_audit", "position_snapshot"])
def test_whichever_names_of_files_were_exchanged_they_are_found(tmp_path: Path, stem: str) -> None:
    written_days(tmp_path)
    for one, other in combinations(files_of(tmp_path, stem), 2):
        exchange(one, other)
        damages = verify(tmp_path)
        assert {damage.kind for damage in damages} == {"reordered"}
        # The earlier name may fit: the first lines of the day behind it are of that day.
        assert {damage.file for damage in damages} <= {one.name, other.name}
        exchange(one, other)
        assert verify(tmp_path) == []


def test_a_day_that_has_the_name_of_another_is_named(tmp_path: Path) -> None:
    first, _, third, _ = written_days(tmp_path)
    for name in ("2026-11-20", "2026-11-21.5"):
        other = first.rename(tmp_path / f"order_audit.{name}.jsonl")
        assert [damage.file for damage in verify(tmp_path)] == ([other.name] if name == "2026-11-20" else [])
        other.rename(first)
    other = third.rename(tmp_path / "order_audit.2026-11-22.2.jsonl")
    assert [damage.file for damage in verify(tmp_path)] == [other.name]


def test_names_of_one_day_that_were_exchanged_are_named(tmp_path: Path) -> None:
    content = lines(12, days=(0, 0, 0, 0))
    folder = folder_of(tmp_path, content[9:], content)
    paths = [folder / f"order_audit.2026-11-22{number}.jsonl" for number in ("", ".2", ".3")]
    for n, path in enumerate(paths):
        path.write_bytes(b"".join(content[3 * n : 3 * n + 3]))
    assert verify(folder) == []
    exchange(paths[1], paths[2])
    assert [str(damage) for damage in verify(folder)] == [
        "order_audit.2026-11-22.2.jsonl:1: reordered: its lines were written behind those of "
        "order_audit.2026-11-22.3.jsonl, and its number is the lower one"
    ]
    exchange(paths[1], paths[2])
    exchange(paths[2], folder / "order_audit.jsonl")
    assert [str(damage) for damage in verify(folder)] == [
        "order_audit.jsonl:1: reordered: its lines were written ahead of those of order_audit.2026-11-22.3.jsonl, "
        "and it is no file of a day"
    ]


def seqs_of(folder: Path) -> list[int]:
    return [line["seq"] for line in lines_of(folder)]


@pytest.mark.parametrize("later", [0, 1])
@pytest.mark.parametrize("at", range(10))
@pytest.mark.parametrize("reader", [verify, seqs_of])
def test_a_day_that_ends_while_the_files_are_read_leaves_no_line_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: Callable[[Path], Any], at: int, later: int
) -> None:
    """Ahead of each of the reader's looks at the folder: the new file is there then, or ahead of the next."""
    content = [line for line in lines(20) if b'"demo"' in line]
    folder = folder_of(tmp_path, content[3:7], content[:7])
    (folder / "order_audit.2026-11-22.jsonl").write_bytes(b"".join(content[:3]))
    current, ended = folder / "order_audit.jsonl", folder / "order_audit.2026-11-22.2.jsonl"
    looks = 0

    def watched(name: str) -> None:
        look = getattr(Path, name)

        def looked(self: Path, *given: Any, **options: Any) -> Any:
            nonlocal looks
            if folder in (self, self.parent):
                if looks == at:
                    os.rename(current, ended)
                if looks == at + later:
                    descriptor = os.open(current, os.O_WRONLY | os.O_CREAT)
                    os.write(descriptor, b"".join(content[7:9]))
                    os.close(descriptor)
                looks += 1
            return look(self, *given, **options)

        monkeypatch.setattr(Path, name, looked)

    for name in ("open", "glob", "exists"):
        watched(name)
    found = reader(folder)
    assert found == [] if reader is verify else found[:7] == list(range(1, 8))
    assert looks > 3


def test_without_the_head_it_is_said_that_an_end_cut_off_would_not_show(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, lines())
    (folder / ".order_audit.head.json").unlink(missing_ok=True)
    assert remarks(folder) == [
        ".order_audit.head.json is not there: lines missing at the end of order_audit.jsonl would not show"
    ]
    assert verify(folder) == []
    (folder / ".order_audit.head.json").write_bytes(b'{"demo":{"seq":1,"hash":"x"}}')
    assert remarks(folder) == []
