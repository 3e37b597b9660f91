from __future__ import annotations

import json
import traceback
import tracemalloc
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.wire import (
    Delimiting,
    FrameDecoder,
    FrameTooLarge,
    LocalProtocolError,
    RemoteProtocolError,
    encode_frame,
    framing_of,
)
from anyctrader.wire.framing import MAX_FRAME_SIZE, LengthFraming, NewlineFraming, ObjectFraming

from .generated import few

if TYPE_CHECKING:
    from collections.abc import Iterable

VECTORS = Path(__file__).parents[1] / "vectors" / "messages.jsonl"
GOLDEN = [bytes.fromhex(json.loads(line)["protobuf_frame"]) for line in VECTORS.read_text().splitlines()]


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    return [stream[start:stop] for start, stop in pairwise(edges)]


def fed(framing: Any, pieces: Iterable[bytes]) -> tuple[list[bytes], RemoteProtocolError | None]:
    """Everything that the pieces gave, and the fault that ended it."""
    bodies: list[bytes] = []
    try:
        for piece in pieces:
            for body in framing.feed(piece):
                bodies.append(body)
    except RemoteProtocolError as fault:
        return bodies, fault
    return bodies, None


def plainly_cut(stream: bytes) -> list[bytes]:
    """A framer of the tests' own, so that encoder and decoder cannot share a mistake."""
    bodies = []
    while stream:
        size = ((stream[0] * 256 + stream[1]) * 256 + stream[2]) * 256 + stream[3]
        bodies.append(stream[4 : 4 + size])
        stream = stream[4 + size :]
    return bodies


# Length first


def test_a_frame_is_its_length_in_four_bytes_big_endian_and_the_body() -> None:
    assert encode_frame(b"") == b"\0\0\0\0"
    assert encode_frame(b"abc") == b"\0\0\0\3abc"
    assert encode_frame(b"x" * 0x010203)[:5] == b"\0\1\2\3x"
    assert LengthFraming().wrap(b"abc") == b"\0\0\0\3abc"


def test_a_body_that_four_bytes_cannot_measure_is_refused() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return 2**32

    with pytest.raises(LocalProtocolError, match="4294967296 bytes"):
        encode_frame(Huge())


def test_the_golden_frames_are_cut_as_the_plainest_of_framers_cuts_them() -> None:
    stream = b"".join(GOLDEN)
    decoder = FrameDecoder()
    assert list(decoder.feed(stream)) == plainly_cut(stream) == [frame[4:] for frame in GOLDEN]
    decoder.close()


@given(
    st.lists(st.binary(max_size=12) | st.sampled_from((b"", b"\0", b"\0\0\0\1", b"x" * 300)), max_size=8),
    st.lists(st.integers(0, 400), max_size=30),
)
@few(200)
def test_any_cut_of_the_stream_gives_the_same_bodies(bodies: list[bytes], places: list[int]) -> None:
    stream = b"".join(map(encode_frame, bodies))
    decoder = FrameDecoder(max_size=300)
    assert fed(decoder, cut(stream, places)) == (bodies, None)
    decoder.close()


def test_a_stream_cut_short_at_any_byte_gives_what_was_whole_and_says_that_it_ended_inside_a_frame() -> None:
    stream = b"".join(GOLDEN[:40])
    ends = {0}
    for body in plainly_cut(stream):
        ends.add(max(ends) + 4 + len(body))
    for size in range(len(stream)):
        decoder = FrameDecoder()
        bodies = list(decoder.feed(stream[:size]))
        whole = max(end for end in ends if end <= size)
        assert bodies == plainly_cut(stream[:whole])
        if size == whole:
            decoder.close()
            continue
        for _ in range(2):
            with pytest.raises(RemoteProtocolError, match=f"inside a frame, {size - whole} bytes into it"):
                decoder.close()


def test_every_length_is_either_waited_for_or_refused_at_its_fourth_byte() -> None:
    near = [MAX_FRAME_SIZE + step for step in (-1, 0, 1)]
    powers = [2**power + step for power in range(33) for step in (-1, 0, 1) if 0 <= 2**power + step < 2**32]
    for size in {*near, *powers, *range(0, 2**32, 2**32 // 997)}:
        header = size.to_bytes(4, "big")
        for pieces in ([header], [header[:1], header[1:3], header[3:]], [header + b"x"]):
            decoder = FrameDecoder()
            bodies, fault = fed(decoder, pieces)
            if size > MAX_FRAME_SIZE:
                assert isinstance(fault, FrameTooLarge)
                assert (fault.size, fault.max_size) == (size, MAX_FRAME_SIZE)
                assert f"{size} bytes; at most 15000000" in str(fault)
            else:
                assert (bodies, fault) == ([b""] if not size else [b"x"] if size == 1 and pieces[0][4:] else [], None)


@pytest.mark.parametrize("first", [b"", b"\xff", b"\xff\xff\xff"])
def test_of_a_frame_that_is_too_long_no_byte_is_stored(first: bytes) -> None:
    rest = b"\xff" * (4 - len(first)) + b"x" * 4_000_000
    decoder = FrameDecoder()
    assert list(decoder.feed(first)) == []
    tracemalloc.start()
    try:
        with pytest.raises(FrameTooLarge):
            decoder.feed(rest)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 100_000


def test_what_was_whole_before_a_fault_is_given_first_and_the_fault_is_final() -> None:
    decoder = FrameDecoder(max_size=5)
    given_out = iter(decoder.feed(b"\0\0\0\1a\0\0\0\0\0\0\0\6abcdef\0\0\0\1b"))
    assert [next(given_out), next(given_out)] == [b"a", b""]
    with pytest.raises(FrameTooLarge):
        next(given_out)
    with pytest.raises(FrameTooLarge):
        decoder.feed(b"\0\0\0\1c")
    with pytest.raises(FrameTooLarge):
        decoder.close()


@pytest.mark.parametrize(
    ("delimiting", "broken"),
    [(Delimiting.LENGTH, b"\xff" * 4), (Delimiting.NEWLINE, b"x" * 101), (Delimiting.OBJECTS, b"]")],
)
def test_nothing_that_is_fed_behind_a_fault_is_kept_and_each_error_is_raised_as_new(
    delimiting: Delimiting, broken: bytes
) -> None:
    framing = framing_of(delimiting, max_size=100)
    faults: list[RemoteProtocolError] = []
    tracemalloc.start()
    try:
        for number in range(50):
            with pytest.raises(RemoteProtocolError) as caught:
                list(framing.feed(broken + bytes([number]) * 100_000))
            caught.value.__traceback__ = None  # our own hold on what was fed
            faults.append(caught.value)
            del caught
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 150_000
    assert len({str(fault) for fault in faults}) == 1
    assert len(set(map(id, faults))) == 50


def test_an_error_that_is_raised_again_and_again_does_not_grow() -> None:
    framing = framing_of(Delimiting.LENGTH)
    framing.feed(b"\0\0")
    lengths = set()
    for _ in range(20):
        with pytest.raises(RemoteProtocolError, match="ended inside a frame, 2 bytes into it") as caught:
            framing.close()
        lengths.add(len(traceback.extract_tb(caught.value.__traceback__)))
    assert len(lengths) == 1


def test_the_largest_frame_in_small_pieces_costs_each_byte_once_and_little_more_memory_than_itself() -> None:
    body = bytes(MAX_FRAME_SIZE)
    stream = encode_frame(body) + encode_frame(b"next")
    decoder = FrameDecoder()
    tracemalloc.start()
    try:
        bodies, fault = fed(decoder, (stream[at : at + 1000] for at in range(0, len(stream), 1000)))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (bodies, fault) == ([body, b"next"], None)
    assert most < 2.3 * MAX_FRAME_SIZE  # the bytes as they came, and the body that is made of them


def test_a_frame_byte_by_byte_costs_each_byte_once() -> None:
    body = bytes(400_000)
    decoder = FrameDecoder()
    stream = encode_frame(body)
    assert fed(decoder, (stream[at : at + 1] for at in range(len(stream)))) == ([body], None)


def test_a_million_empty_frames_are_a_million_empty_bodies() -> None:
    decoder = FrameDecoder()
    assert sum(1 for body in decoder.feed(bytes(4_000_000)) if body == b"") == 1_000_000
    decoder.close()


def test_a_limit_that_lets_nothing_pass_is_refused() -> None:
    for delimiting in Delimiting:
        with pytest.raises(ValueError, match="max_size is 0"):
            framing_of(delimiting, max_size=0)
    assert list(FrameDecoder(max_size=1).feed(b"\0\0\0\1x")) == [b"x"]


# JSON without a length

TEXTS = st.recursive(
    st.sampled_from((1, "{", "}", '"', "\\", '\\"', "{}", "é", "\n", "")), lambda inner: st.lists(inner, max_size=3)
).flatmap(lambda value: st.builds(lambda key: {key: value}, st.sampled_from(("a", "}{", '"', "\\"))))


@pytest.mark.parametrize(
    ("delimiting", "kind"),
    [
        (Delimiting.LENGTH, LengthFraming),
        (Delimiting.NEWLINE, NewlineFraming),
        (Delimiting.OBJECTS, ObjectFraming),
    ],
)
@given(st.lists(TEXTS, max_size=6), st.lists(st.integers(0, 200), max_size=20))
@few(100)
def test_however_json_is_delimited_any_cut_of_the_stream_gives_the_same_texts(
    delimiting: Delimiting, kind: type, values: list[Any], places: list[int]
) -> None:
    framing = framing_of(delimiting)
    assert type(framing) is kind
    texts = [json.dumps(value, ensure_ascii=False).encode() for value in values]
    stream = b"".join(map(framing.wrap, texts))
    assert fed(framing, cut(stream, places)) == (texts, None)
    framing.close()


def test_lines_may_end_in_any_way_and_empty_ones_mean_nothing() -> None:
    framing = NewlineFraming()
    assert list(framing.feed(b'\n\r\n{"a":1}\r\n  {"b":2} \n\n{"c"')) == [b'{"a":1}', b'{"b":2}']
    assert list(framing.feed(b":3}\n \r")) == [b'{"c":3}']
    framing.close()  # blanks are no message


def test_blanks_before_a_line_cost_no_memory_and_each_is_looked_at_once() -> None:
    framing = NewlineFraming(max_size=10)
    for _ in range(100_000):  # 100 MB, which took hours
        assert list(framing.feed(b" " * 1000)) == []
        assert framing.inside == 0
    assert list(framing.feed(b'{"a":1}\n')) == [b'{"a":1}']


@pytest.mark.parametrize("step", [1, 3, 100])
@pytest.mark.parametrize(("line", "fits"), [(b"  1234567890\n", True), (b" 1234567 \t \r\n", False)])
def test_blanks_before_a_line_do_not_count_for_its_length_and_those_behind_do(
    step: int, line: bytes, *, fits: bool
) -> None:
    bodies, fault = fed(NewlineFraming(max_size=10), (line[at : at + step] for at in range(0, len(line), step)))
    assert (bodies, fault is None) == ([line.strip()] * fits, fits)


def test_a_line_cannot_hold_a_line_break() -> None:
    with pytest.raises(LocalProtocolError, match="line break"):
        NewlineFraming().wrap(b'{\n"a":1}')


def test_between_objects_only_blanks_may_stand() -> None:
    framing = ObjectFraming()
    bodies, fault = fed(framing, [b' {"a":{}}\t\r\n{}', b" ", b'[{"b":1}]'])
    assert bodies == [b'{"a":{}}', b"{}"]
    assert str(fault) == "byte 0x5b stands between JSON objects"


@pytest.mark.parametrize("rest", [b'{"a', b'{"a\\', b'{"a":{}', b"{"])
def test_a_stream_that_ends_inside_an_object_says_so(rest: bytes) -> None:
    for framing in (ObjectFraming(), NewlineFraming()):
        assert list(framing.feed(framing.wrap(b"{}") + rest)) == [b"{}"]
        with pytest.raises(RemoteProtocolError, match=f"inside a frame, {len(rest)} bytes"):
            framing.close()


@pytest.mark.parametrize("step", [1, 7, 1_000])
@pytest.mark.parametrize("delimiting", [Delimiting.NEWLINE, Delimiting.OBJECTS])
def test_without_a_length_the_limit_holds_as_soon_as_it_is_passed(delimiting: Delimiting, step: int) -> None:
    for size in (9, 10, 11, 500):
        framing = framing_of(delimiting, max_size=10)
        text = b'{"a":"' + b"x" * (size - 8) + b'"}'
        stream = framing.wrap(b"{}") + framing.wrap(text)
        bodies, fault = fed(framing, (stream[at : at + step] for at in range(0, len(stream), step)))
        if size <= 10:
            assert (bodies, fault) == ([b"{}", text], None)
            continue
        assert bodies == [b"{}"]
        assert isinstance(fault, FrameTooLarge)
        assert (fault.size, fault.max_size) == (None, 10)
        assert str(fault).startswith("the peer sent a longer frame; at most 10 are taken")


@pytest.mark.parametrize("delimiting", [Delimiting.NEWLINE, Delimiting.OBJECTS])
@pytest.mark.parametrize("filling", [b"x", b'\\"', b"{"])
def test_the_longest_text_in_small_pieces_costs_each_byte_once(delimiting: Delimiting, filling: bytes) -> None:
    framing = framing_of(delimiting)
    size = MAX_FRAME_SIZE - 8 if filling == b"x" else 600_000
    text = b'{"a":"' + filling * (size // len(filling)) + b'"}'
    stream = framing.wrap(text)
    assert fed(framing, (stream[at : at + 1000] for at in range(0, len(stream), 1000))) == ([text], None)


@pytest.mark.parametrize("delimiting", [Delimiting.NEWLINE, Delimiting.OBJECTS])
def test_a_text_without_end_is_not_stored_beyond_the_limit(delimiting: Delimiting) -> None:
    framing = framing_of(delimiting, max_size=1_000)
    stream = b'{"a":"' + bytes(2_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(FrameTooLarge):
            framing.feed(stream)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 100_000


@given(st.sampled_from(list(Delimiting)), st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=12))
@few(300)
def test_garbage_ends_in_the_same_fault_wherever_it_is_cut(
    delimiting: Delimiting, stream: bytes, places: list[int]
) -> None:
    outcomes = []
    for pieces in ([stream], cut(stream, places)):
        framing = framing_of(delimiting, max_size=20)
        bodies, fault = fed(framing, pieces)
        try:
            framing.close()
        except RemoteProtocolError as end:
            outcomes.append((bodies, str(fault), str(end)))
        else:
            outcomes.append((bodies, str(fault), None))
    assert outcomes[0] == outcomes[1]


def test_braces_without_end_are_refused_before_they_cost_more_than_they_weigh() -> None:
    framing = framing_of(Delimiting.OBJECTS)
    deep = b'{"a":' * 1024 + b"1" + b"}" * 1024
    assert list(framing.feed(deep)) == [deep]
    with pytest.raises(RemoteProtocolError, match="nested deeper than 1024 levels"):
        framing.feed(b"{" * 100_000)


def objects_by_hand(text: bytes) -> list[bytes]:
    """Whole objects, byte by byte."""
    found: list[bytes] = []
    start, depth, in_string, escaped = 0, 0, False, False
    for at, byte in enumerate(text):
        char = bytes((byte,))
        if in_string:
            in_string = escaped or char != b'"'
            escaped = not escaped and char == b"\\"
        elif char == b"{":
            start = start if depth else at
            depth += 1
        elif not depth:
            return found  # a fault
        elif char == b'"':
            in_string = True
        elif char == b"}":
            depth -= 1
            if not depth:
                found.append(text[start : at + 1])
    return found


@given(st.text(alphabet='{}"\\a', max_size=40), st.integers(1, 40))
def test_objects_are_told_apart_as_by_hand_whatever_the_cut(text: str, step: int) -> None:
    data, framing = b"{" + text.encode(), ObjectFraming()
    found: list[bytes] = []
    with suppress(RemoteProtocolError):
        for start in range(0, len(data), step):
            for body in framing.feed(data[start : start + step]):
                found.append(body)
    assert found == objects_by_hand(data)


def test_small_objects_and_strings_inside_of_one_cost_no_step_each(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    following = ObjectFraming._next
    monkeypatch.setattr(ObjectFraming, "_next", lambda *args: (steps.append(1), following(*args))[1])
    body = b'{"a":[' + rb'{"b":"\"}"},"",' * 1_000 + b"1]}"
    assert list(ObjectFraming().feed(body)) == [body]
    assert len(steps) < 10
