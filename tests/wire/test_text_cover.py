from __future__ import annotations

from typing import Any

import pytest

from anyctrader.wire.secret_texts import SecretTexts
from anyctrader.wire.text_cover import MASK, MOST_LOOKED_AT, TextCover

SECRET = "CANARY-0123456789-abcdef"


def cover(*named: str) -> TextCover:
    return TextCover(SecretTexts(named))


@pytest.mark.parametrize(
    ("named", "text", "shown"),
    [
        (("abcdefghij", "ghijklmnop"), "abcdefghijklmnop", "***"),
        (("abcdefghij", "ghijklmnop"), "<abcdefghijklmnop ghijklmnop>", "<*** ***>"),
        (("aaaaaaaa",), "baaaaaaaaaaaab", "b***b"),
        (("abcdefgh",), "abcdefghabcdefgh.", "***."),
        (("abcdefgh",), "token=1abcdefgh2&x", "token=***&x"),
        (("abcdefgh",), "token=abcdefgh", "token=***"),
        (("abc",), "abc abcd", "*** abcd"),
        (("abcdefgh",), "token=***", "token=***"),
        (("ütokenüü",), "aütokenüüb", "a***b"),
        ((), "token=a\ud800", "token=***"),
        ((SECRET,), "\ud800" + SECRET, "\ud800***"),
    ],
)
def test_all_that_is_secret_in_a_text_is_covered_and_leaves_no_rest(
    named: tuple[str, ...], text: str, shown: str
) -> None:
    one = cover(*named)
    assert one.text(text) == shown
    assert one.changed is (shown != text)
    again = cover(*named)
    assert (again.text(shown), again.changed) == (shown, False)


@pytest.mark.parametrize("text", ["a" * MOST_LOOKED_AT, "a=" * (MOST_LOOKED_AT // 3)])
def test_a_text_that_there_is_no_time_for_is_covered_whole(text: str) -> None:
    one = cover(SECRET)
    assert one.text(text) == f"*** ({len(text):,} characters, not looked at)"
    assert one.changed


def test_json_of_any_depth_is_copied_and_covered() -> None:
    deep: Any = SECRET
    for level in range(5000):
        deep = [deep, 1] if level % 2 else {"a": deep, "b": None}
    one = cover(SECRET)
    shown = one.json(deep)
    assert one.changed
    for level in reversed(range(5000)):
        assert (shown[1] == 1) if level % 2 else (shown["b"] is None)
        shown = shown[0] if level % 2 else shown["a"]
    assert shown == MASK


def test_a_name_that_is_secret_is_covered_and_an_endless_one_hides_its_value() -> None:
    body = {SECRET: 1, "x" * 300: "shown?", "pin": {"a": ["metnow-1", {"b": "metnow-2"}], "c": 5}, "said": "metnow-1"}
    shown = cover(SECRET).json(body)
    assert shown == {MASK: 1, "x" * 300: MASK, "pin": MASK, "said": MASK}
    body = {"password": "hunter2-of-old", "n": ["hunter2-of-old", 1.5, True, None, (1, 2)]}
    assert cover().json(body) == {"password": MASK, "n": [MASK, 1.5, True, None, (1, 2)]}


def test_of_too_many_members_and_items_the_rest_is_left_out_and_told() -> None:
    many = {f"name{number}": "x" for number in range(100_000)}
    one = cover()
    shown = one.json({"first": many, "second": 1})
    assert one.changed
    assert len(shown["first"]) < 20_000
    assert shown["first"][MASK] == f"*** ({100_000 - len(shown['first']) + 1:,} members, not looked at)"
    assert shown[MASK] == "*** (1 members, not looked at)"
    texts = cover().json(["x"] * 100_000)
    assert texts[-1] == f"*** ({100_000 - len(texts) + 1:,} items, not looked at)"
    paths = cover().members({(name,): value for name, value in many.items()}, bearer=False)
    assert paths[MASK,] == f"*** ({100_000 - len(paths) + 1:,} members, not looked at)"
    numbers = list(range(200_000))
    assert cover().json(numbers) == numbers


def test_what_is_hidden_by_its_name_is_met_as_far_as_there_is_time() -> None:
    texts = SecretTexts()
    assert TextCover(texts).hidden([f"password-{number:06}" for number in range(100_000)]) == MASK
    assert 256 < texts.met < 3000
    one = TextCover(SecretTexts())
    for number in range(100_000):
        one.suspect(f"abcdefghij-{number:06}")
    assert not one.goes_on()


@pytest.mark.parametrize(("value", "shown", "changed"), [(None, None, False), (MASK, MASK, False), (5, MASK, True)])
def test_a_mask_is_no_secret(value: Any, shown: Any, changed: bool) -> None:
    one = cover()
    assert (one.hidden(value), one.changed) == (shown, changed)


def test_members_beside_a_secret_are_covered_and_met_where_they_look_like_one() -> None:
    texts = SecretTexts()
    one = TextCover(texts)
    shown = one.members({("part", 0, "newer"): SECRET, ("kind",): "USD", ("pin",): "x", ("n",): 5}, bearer=True)
    assert shown == {("part", 0, "newer"): MASK, ("kind",): MASK, ("pin",): MASK, ("n",): MASK}
    assert (one.changed, len(texts)) == (True, 1)
    again = TextCover(texts)
    assert again.members(shown, bearer=True) == shown
    assert not again.changed


def test_bytes_hold_a_secret_where_one_is_known_or_assigned_or_there_is_no_time() -> None:
    one = cover(SECRET)
    assert one.holds(b"x" + SECRET.encode())
    assert one.holds(b"token=7")
    assert not one.holds(b"spin=7")
    assert one.holds(bytes(MOST_LOOKED_AT))
    assert one.may_hold(b"Ptoken=7")
    assert one.may_hold(SECRET.encode())
    assert not one.may_hold(b"plain")
    assert one.goes_on()
