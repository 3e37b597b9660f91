"""A secret shows its text to nobody who does not ask for it by name."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from anyctrader.session.secret import Secret

TEXT = "planted-0b9c-secret"


@pytest.mark.parametrize(
    "shown",
    [
        repr(Secret(TEXT)),
        str(Secret(TEXT)),
        f"{Secret(TEXT)}",
        f"{Secret(TEXT)!r:>40}",
        f"{Secret(TEXT):>40}",
        f"{Secret(TEXT):.3}",
        "%s %r" % (Secret(TEXT), Secret(TEXT)),  # noqa: UP031 - this way of formatting is what is tested
        repr([Secret(TEXT)]),
    ],
)
def test_no_way_of_formatting_shows_the_text(shown: str) -> None:
    assert "***" in shown
    assert "planted" not in shown


def test_the_width_of_a_format_does_not_tell_the_length() -> None:
    assert f"{Secret('a'):>9}" == f"{Secret('abcdefghijk'):>9}" == "***"


def test_reveal_gives_the_text() -> None:
    assert Secret(TEXT).reveal() == TEXT


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret(TEXT), protocol)


def test_a_json_writer_does_not_know_a_secret() -> None:
    with pytest.raises(TypeError):
        json.dumps({"token": Secret(TEXT)})


def test_secrets_are_equal_when_their_texts_are() -> None:
    assert Secret(TEXT) == Secret(TEXT)
    assert Secret(TEXT) != Secret(TEXT + "x")
    assert hash(Secret(TEXT)) == hash(Secret(TEXT))
    assert {Secret(TEXT), Secret(TEXT)} == {Secret(TEXT)}


def test_a_secret_equals_no_plain_text() -> None:
    assert Secret(TEXT) != TEXT
    assert Secret(TEXT) != TEXT


def test_texts_outside_ascii_and_outside_utf_8_compare_too() -> None:
    assert Secret("пароль") == Secret("пароль")
    assert Secret("\udcff") == Secret("\udcff")
    assert Secret("\udcff") != Secret("ÿ")


def test_a_copy_is_the_secret_itself() -> None:
    secret = Secret(TEXT)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_a_secret_cannot_be_changed() -> None:
    secret = Secret(TEXT)
    with pytest.raises(AttributeError):
        secret._text = "other"
    with pytest.raises(AttributeError):
        del secret._text
    with pytest.raises(AttributeError):
        secret.note = "more"
    assert secret.reveal() == TEXT


def test_what_is_not_text_is_refused_by_type_and_not_by_value() -> None:
    with pytest.raises(TypeError, match="not int") as caught:
        Secret(918273645)  # type: ignore[arg-type]  # the mistake that is tested
    assert "918273645" not in str(caught.value)
