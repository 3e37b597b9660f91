"""Characters lost from the text of a capture, or added to it, for the tests of what reads past them."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from hypothesis import strategies as st

from anyctrader.wire.text_bytes import Encoding

from .captured import FRAMES, STREAM

ENDS = list(accumulate(map(len, FRAMES)))

Edit = tuple[int, int, bytes]  # of characters: at which place, how many are lost, and which are added


def edits(text: bytes) -> st.SearchStrategy[list[Edit]]:
    """Up to three places, anywhere or close to each other."""
    anywhere = st.integers(0, len(text))
    near = st.tuples(anywhere, st.lists(st.integers(0, 120), max_size=2)).map(
        lambda drawn: [min(len(text), at) for at in accumulate(drawn[1], initial=drawn[0])]
    )
    change = st.tuples(st.integers(0, 5), st.sampled_from([b"", b"0", b"7", b"777", b"!", b"!!", b"="]))
    return (st.lists(anywhere, min_size=1, max_size=3) | near).flatmap(
        lambda places: st.tuples(*(change.map(lambda drawn, at=at: (at, *drawn)) for at in sorted(places))).map(list)
    )


def edited(text: bytes, places: list[Edit]) -> bytes:
    for at, lost, added in reversed(places):
        text = text[:at] + added + text[at + lost :]
    return text


def hurt(encoding: Encoding, places: list[Edit]) -> set[int]:
    """The messages that stand where characters were lost or added, on either side of them, and those right behind.

    What stands in a message that is hurt may read as another message, and the begin of the next one as its end. A
    character that is none of the encoding, or padding, takes the others of its whole bytes with it.
    """
    bits, group = (4, 2) if encoding is Encoding.HEX else (6, 4)
    found = set()
    for at, lost, added in places:
        beside = group - 1 if added.strip(b"07") else 0
        first = max((at - beside) * bits - 1, 0) // 8
        last = min((at + lost + beside) * bits // 8, len(STREAM) - 1)
        found.update(range(bisect_right(ENDS, first), bisect_right(ENDS, last) + 2))
    return found
