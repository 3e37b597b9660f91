from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.wire.secret_texts import LONGEST_MET, MOST_MET, Allowance, SecretTexts


def found(texts: SecretTexts, data: bytes) -> set[tuple[int, int]]:
    spans = texts.spans(data, Allowance(1_000_000))
    assert spans is not None
    return set(spans)


def stands(secrets: list[bytes], data: bytes) -> set[tuple[int, int]]:
    """The same, looked for in the plain way."""
    return {
        (at, at + len(secret))
        for secret in secrets
        for at in range(len(data) - len(secret) + 1)
        if data[at : at + len(secret)] == secret
    }


@given(st.data())
def test_every_place_of_every_secret_is_found_however_many_are_looked_for(data: st.DataObject) -> None:
    secrets = data.draw(st.lists(st.text("abü", min_size=8, max_size=14), min_size=1, max_size=30, unique=True))
    told = data.draw(st.integers(0, len(secrets)))
    pieces = data.draw(st.lists(st.sampled_from(secrets) | st.text("abü", max_size=5), max_size=6))
    text = "".join(pieces).encode()
    texts = SecretTexts(secrets[:told])
    for secret in secrets[told:]:
        texts.remember(secret, told=False)
    places = stands([secret.encode() for secret in secrets], text)
    assert found(texts, text) == places
    assert texts.may_be_in(text) == bool(places)


def test_what_was_only_suspected_pushes_out_nothing_that_a_field_told() -> None:
    texts = SecretTexts(["the-owners-own"])
    for number in range(MOST_MET):
        texts.remember(f"told-{number:06}", told=True)
    for number in range(2 * MOST_MET):
        texts.remember(f"suspected-{number:06}", told=False)
    texts.remember("told-000000", told=False)  # it is told already
    assert len(texts) == 1 + 2 * MOST_MET
    assert texts.met == 3 * MOST_MET
    assert all(found(texts, f"told-{number:06}".encode()) for number in range(MOST_MET))
    assert found(texts, b"the-owners-own")
    assert not found(texts, b"suspected-000255")
    assert found(texts, b"suspected-000256")


def test_those_that_were_met_last_are_kept() -> None:
    texts = SecretTexts()
    for number in range(MOST_MET + 1):
        texts.remember(f"told-{number:06}", told=True)
        assert texts.remember("told-000000", told=True) is (number == -1)
    assert found(texts, b"told-000000")
    assert not found(texts, b"told-000001")
    assert not texts.may_be_in(b"told-000001")


def test_what_is_forgotten_leaves_nothing_behind() -> None:
    texts = SecretTexts()
    for number in range(MOST_MET + 1):
        texts.remember(hashlib.sha256(bytes((number % 256, number // 256))).hexdigest(), told=False)
    first = hashlib.sha256(bytes(2)).hexdigest().encode()
    assert not texts.may_be_in(first)
    assert found(texts, first) == set()


def test_a_suspected_one_that_a_field_tells_is_told_from_then_on() -> None:
    texts = SecretTexts()
    assert texts.remember("suspected-first", told=False)
    assert not texts.remember("suspected-first", told=True)
    for number in range(MOST_MET):
        texts.remember(f"suspected-{number:06}", told=False)
    assert found(texts, b"suspected-first")


@pytest.mark.parametrize("text", ["", "123", "x" * (LONGEST_MET + 1), "*" * 20, "****", "the-owners-own", "word"])
def test_what_is_short_or_overlong_or_a_mask_or_named_is_not_met(text: str) -> None:
    texts = SecretTexts(["the-owners-own", "word"])
    assert not texts.remember(text, told=True)
    assert (len(texts), texts.met) == (2, 0)


def test_a_short_one_is_a_word_that_a_field_told_and_of_many_the_last_are_kept() -> None:
    texts = SecretTexts()
    assert not texts.remember("hunter2", told=False)
    assert texts.remember("hunter2", told=True)
    assert not texts.remember("hunter2", told=True)
    assert texts.without_words("<hunter2> hunter22", "***") == "<***> hunter22"
    for number in range(16):
        assert texts.may_be_in(b"<hunter2>")
        texts.remember(f"word{number:02}", told=True)
    assert texts.without_words("hunter2 word00 word15", "***") == "hunter2 *** ***"
    assert (len(texts), texts.met) == (16, 17)


@pytest.mark.parametrize("others", [0, 40])
def test_a_short_one_that_was_named_is_a_word(others: int) -> None:
    texts = SecretTexts(["abc", "xyz", "", "abc", *(f"another-{number}-of-many" for number in range(others))])
    assert texts.may_be_in(b"x abc x")
    assert not texts.may_be_in(b"a b c x")
    assert texts.without_words("abc abcd x_abc ab", "***") == "*** abcd x_*** ab"
    assert found(texts, b"abc") == set()


def test_what_looks_like_many_and_is_none_is_not_called_clean() -> None:
    texts = SecretTexts(f"{number:02}-0123456789abcdef-{number:02}" for number in range(20))
    assert texts.may_be_in(b"0123456789abcdef" * 1000)
    assert not texts.may_be_in(b"0123456789abcdef")
    assert texts.may_be_in(b"0123456789abcdef 07-0123456789abcdef-07")


def test_more_places_than_there_is_time_for_are_not_told() -> None:
    texts = SecretTexts(["secret-of-some-length"])
    assert texts.spans(b"secret-of-some-length " * 100, Allowance(50)) is None


def test_an_allowance_is_taken_and_spent() -> None:
    allowance = Allowance(10)
    assert not allowance.take(11)
    assert allowance.take(4)
    allowance.spend(4)
    assert allowance.left == 2
    allowance.spend(4)
    assert allowance.left == 0
