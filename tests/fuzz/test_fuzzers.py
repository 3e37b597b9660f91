"""A short run of each fuzzer: its seeds, then damaged seeds and garbage. README.md says how to run them for long."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anyctrader.wire.completeness import LARGE

from . import connection_client, connection_server, framing, json_codec, protobuf_codec, shown, websocket

if TYPE_CHECKING:
    from types import ModuleType

FUZZERS = [framing, websocket, protobuf_codec, json_codec, shown, connection_client, connection_server]
CORPUS = Path(__file__).parent / "corpus"


def name(fuzzer: ModuleType) -> str:
    return fuzzer.__name__.rpartition(".")[2]


def seeds(fuzzer: ModuleType) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name(fuzzer)).iterdir())]


@st.composite
def damaged(draw: st.DrawFn, whole: list[bytes]) -> bytes:
    """A seed with bytes changed, cut out, doubled and put in; or two of them, or garbage."""
    data = bytearray(draw(st.sampled_from(whole)))
    if draw(st.booleans()):
        data += draw(st.sampled_from(whole))[3:]
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.integers(0, 8)))
        new = draw(st.binary(max_size=6) | st.just(bytes(data[start:stop]) * 2))
        data[start:stop] = new
    return bytes(data)


@pytest.mark.parametrize("fuzzer", FUZZERS, ids=name)
def test_a_fuzzer_says_on_its_first_line_what_must_hold_and_has_seeds(fuzzer: ModuleType) -> None:
    first, *_ = Path(str(fuzzer.__file__)).read_text(encoding="utf-8").splitlines()
    assert first.startswith('"""')
    assert first.count(" ") > 10
    assert len(seeds(fuzzer)) > 5


def test_the_seeds_of_the_protobuf_codec_reach_both_ways_in_which_completeness_is_told() -> None:
    sizes = [len(seed) for seed in seeds(protobuf_codec)]
    assert min(sizes) < LARGE < sorted(sizes)[-2]


@pytest.mark.parametrize("fuzzer", FUZZERS, ids=name)
def test_the_seeds_hold_whole_and_cut_short_in_some_forty_places(fuzzer: ModuleType) -> None:
    for seed in seeds(fuzzer):
        for size in range(0, len(seed) + 1, 1 + len(seed) // 40):
            fuzzer.check(seed[:size])
        fuzzer.check(seed)


@pytest.mark.parametrize("fuzzer", FUZZERS, ids=name)
def test_damaged_seeds_and_garbage_hold(fuzzer: ModuleType) -> None:
    @given(damaged(seeds(fuzzer)) | st.binary(max_size=60))
    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    def holds(data: bytes) -> None:
        fuzzer.check(data)

    holds()
