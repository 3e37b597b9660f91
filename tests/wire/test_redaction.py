from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.internal import api_implementation

from anyctrader.proto.schema import MESSAGES
from anyctrader.wire import JsonCodec, Message, ProtobufCodec, UnknownPayload
from anyctrader.wire import messages as oa
from anyctrader.wire.catalog import SECRET_FIELDS
from anyctrader.wire.drift import unknown_fields
from anyctrader.wire.redaction import MASK, Redaction
from anyctrader.wire.shape import shape_of

from .generated import complete

SECRET = "CANARY-0123456789-abcdef"
BEARERS = [cls for cls in oa.PAYLOAD_CLASSES.values() if SECRET_FIELDS & set(cls.DESCRIPTOR.fields_by_name)]
GROUP = b"\xbb\x3e\x0a\x18" + SECRET.encode() + b"\xbc\x3e"


def everything(message: Message) -> bytes:
    """All that could be shown or recorded of a message."""
    codec: Any = JsonCodec() if message.unknown_keys or isinstance(message.unknown_envelope, dict) else ProtobufCodec()
    if isinstance(message.payload, UnknownPayload) and not isinstance(message.payload.body, bytes):
        codec = JsonCodec()
    body: bytes = codec.encode(message)
    return body


def planted(cls: Any, **fields: Any) -> Any:
    payload = complete(cls)
    for name, value in fields.items():
        setattr(payload, name, value)
    return payload


@pytest.mark.parametrize("cls", BEARERS, ids=lambda cls: cls.__name__)
def test_a_secret_field_shows_a_mask_and_the_message_itself_is_left_alone(cls: Any) -> None:
    names = SECRET_FIELDS & set(cls.DESCRIPTOR.fields_by_name)
    payload = planted(cls, **dict.fromkeys(names, SECRET))
    payload.MergeFromString(b"\xba\x3e\x18" + SECRET.encode() + b"\xb8\x3e\x05" + GROUP)  # a newer server's own
    shown = Redaction().message(Message(payload, client_msg_id="7"))
    assert SECRET.encode() not in everything(shown)
    assert {getattr(shown.payload, name) for name in names} == {MASK}
    assert shown.client_msg_id == "7"
    assert all(getattr(payload, name) == SECRET for name in names)


def test_there_are_seven_messages_with_secrets_and_no_part_has_any() -> None:
    assert len(BEARERS) == 7
    holders = {name for name in MESSAGES if SECRET_FIELDS & {field.name for field in shape_of(name).fields}}
    assert holders == {cls.__name__ for cls in BEARERS}


def test_no_text_of_the_schema_is_a_list() -> None:
    assert not [field.name for name in MESSAGES for field in shape_of(name).texts if field.repeated]


def test_fields_without_secrets_stay_and_so_do_the_numbers_of_unknown_ones() -> None:
    payload = oa.ProtoOAAccountAuthReq(ctidTraderAccountId=5, accessToken=SECRET)
    payload.MergeFromString(b"\xb8\x3e\x05\xb9\x3e" + bytes(8) + b"\xbd\x3e" + bytes(4))
    extra = payload.SerializeToString()[-(4 + 10 + 6) + 1 :]
    shown = Redaction().message(Message(payload)).payload
    assert shown.ctidTraderAccountId == 5
    assert shown.SerializeToString().endswith(extra)


def test_a_message_without_secrets_is_given_back_as_it_is() -> None:
    redaction = Redaction([SECRET])
    for payload in (oa.ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1, bid=5), complete(oa.ProtoOATraderRes)):
        message = Message(payload, client_msg_id="a")
        assert redaction.message(message) is message
    assert SECRET not in repr(redaction)


def error(text: str, extra: bytes = b"") -> Message:
    payload = oa.ProtoOAErrorRes(errorCode="CH_ACCESS_TOKEN_INVALID", description=text)
    payload.MergeFromString(extra)
    return Message(payload)


def test_a_secret_that_was_met_is_hidden_wherever_else_it_stands() -> None:
    redaction = Redaction()
    redaction.message(Message(oa.ProtoOARefreshTokenReq(refreshToken=SECRET)))
    said = redaction.message(error(f"token {SECRET} is no token", b"\xba\x3e\x19x" + SECRET.encode()))
    assert said.payload.description == f"token {MASK} is no token"
    assert SECRET.encode() not in everything(said)
    in_a_part = planted(oa.ProtoOATraderRes)
    in_a_part.trader.brokerName = SECRET
    assert redaction.message(Message(in_a_part)).payload.trader.brokerName == MASK
    assert redaction.message(Message(complete(oa.ProtoOAVersionRes), client_msg_id=SECRET)).client_msg_id == MASK
    assert redaction.text(f"<{SECRET}>") == f"<{MASK}>"


@pytest.mark.skipif(
    api_implementation.Type() == "python", reason="protobuf's Python runtime checks every string as it parses"
)
def test_a_secret_that_is_no_text_is_hidden_too() -> None:
    redaction = Redaction()
    broken = oa.ProtoOARefreshTokenReq.FromString(b"\x12\x19\xff" + SECRET.encode())
    assert redaction.message(Message(broken)).payload.refreshToken == MASK
    known = Redaction([SECRET])
    half = oa.ProtoOAErrorRes.FromString(b"\x1a\x01e\x22\x19\xff" + SECRET.encode())
    assert SECRET.encode() not in known.message(Message(half)).payload.SerializeToString()
    other = oa.ProtoOAErrorRes.FromString(b"\x1a\x01\xff\x22\x18" + SECRET.encode())
    assert SECRET.encode() not in known.message(Message(other)).payload.SerializeToString()


@pytest.mark.parametrize(
    "text", ["aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "12345678", "s3cret!!", "two words", "üüüüüüüü", "x" * 4096]
)
def test_whatever_stood_in_a_secret_field_is_hidden_elsewhere_from_eight_characters_on(text: str) -> None:
    redaction = Redaction()
    redaction.message(Message(oa.ProtoOARefreshTokenReq(refreshToken=text)))
    assert redaction.message(error(f"it is {text}, no?")).payload.description == f"it is {MASK}, no?"
    empty = Message(oa.ProtoOARefreshTokenReq(refreshToken=""))
    assert redaction.message(empty).payload.refreshToken == MASK
    assert redaction.text("") == ""


@pytest.mark.parametrize("text", ["1", "EUR", "ü"])
def test_what_is_as_short_as_ordinary_words_is_hidden_where_it_stands_only(text: str) -> None:
    redaction = Redaction()
    auth = Message(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1, accessToken=text), client_msg_id=text)
    shown = redaction.message(auth)
    assert (shown.payload.accessToken, shown.client_msg_id) == (MASK, text)
    note = Message(UnknownPayload(9999, {"note": f"pin={text}", "password": [text]}))
    assert redaction.message(note).payload.body == {"note": f"pin={MASK}", "password": MASK}
    later = error(f"of {text}, no?")
    assert redaction.message(later) is later


@pytest.mark.parametrize("text", ["7654", "EURUSD", "hunter2"])
def test_a_short_one_that_a_field_told_is_hidden_as_a_word_and_one_that_was_suspected_where_it_stands(
    text: str,
) -> None:
    suspicious = Redaction()
    suspicious.message(Message(UnknownPayload(9999, {"note": f"pin={text}", "password": [text]})))
    assert suspicious.text(f"of {text}") == f"of {text}"
    redaction = Redaction()
    redaction.message(Message(oa.ProtoOARefreshTokenReq(refreshToken=text)))
    assert redaction.text(f"<{text}> x{text}") == f"<{MASK}> x{text}"


def test_a_short_one_is_hidden_where_it_is_a_word_and_left_in_the_middle_of_others() -> None:
    redaction = Redaction(["secret", "abc", "***"])
    said = redaction.message(error("a secret of abc, abcd and x_abc: ***")).payload.description
    assert said == f"a {MASK} of {MASK}, abcd and x_{MASK}: {MASK}"


def test_a_secret_that_begins_as_another_does_leaves_no_rest() -> None:
    redaction = Redaction(["abcdef"])
    redaction.message(Message(oa.ProtoOARefreshTokenReq(refreshToken="abcdef-ghi")))
    assert redaction.text("abcdef-ghi abcdef") == f"{MASK} {MASK}"


def test_the_secrets_that_were_met_last_are_remembered_and_those_that_were_named_always() -> None:
    redaction = Redaction(["000-abcdefghijklmnop"])
    for number in range(300):
        redaction.message(Message(oa.ProtoOARefreshTokenReq(refreshToken=f"{number:03d}-abcdefghijklmnop")))
        redaction.message(Message(oa.ProtoOARefreshTokenReq(refreshToken="001-abcdefghijklmnop")))
    for number, hidden in (("000", True), ("001", True), ("044", False), ("045", True), ("299", True)):
        assert (redaction.text(f"{number}-abcdefghijklmnop") == MASK) is hidden, number


def test_texts_that_a_peer_makes_up_push_out_no_token() -> None:
    redaction = Redaction()
    redaction.message(Message(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1, accessToken=TOKEN)))
    for number in range(1000):
        redaction.message(Message(UnknownPayload(9999, {"pin": f"made-up-{number:06}"})))
    assert redaction.text(f"{TOKEN} made-up-000999 made-up-000000") == f"{MASK} {MASK} made-up-000000"


def test_a_secret_beside_another_is_remembered_where_it_looks_like_one() -> None:
    redaction = Redaction()
    payload = oa.ProtoOARefreshTokenReq(refreshToken="first")
    payload.MergeFromString(b"\xba\x3e\x18" + SECRET.encode() + b"\xba\x3e\x03EUR")
    redaction.message(Message(payload))
    keys = {("newer",): f"{SECRET}2", ("kind",): "USD"}
    redaction.message(Message(oa.ProtoOARefreshTokenReq(refreshToken="first"), unknown_keys=keys))
    assert redaction.text(f"{SECRET}, {SECRET}2, EUR, USD") == f"{MASK}, {MASK}, EUR, USD"


NAMES = (
    "authToken",
    "pass",
    "password",
    "token",
    "apiKey",
    "api_key",
    "secret",
    "X-Auth-Token",
    "userPass",
    "PIN",
    "pwd",
    "passcode",
    "passkey",
    "authCode",
    "oauth",
    "totp",
    "mfaCode",
    "privKey",
    "sessionId",
    "hmac",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_member_that_nobody_describes_is_hidden_by_its_name_and_its_value_from_then_on(name: str) -> None:
    redaction = Redaction()
    body = {"a": [{name: "hunter22"}], "n": {name: 5, "none": None}, "symbol": "EURUSD"}
    shown = redaction.message(Message(UnknownPayload(9999, body)))
    assert shown.payload.body == {"a": [{name: MASK}], "n": {name: MASK, "none": None}, "symbol": "EURUSD"}
    spot = oa.ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1)
    shown = redaction.message(Message(spot, unknown_keys={("part", 0, name): {"in": ["deeper-still"]}}))
    assert shown.unknown_keys == {("part", 0, name): MASK}
    assert redaction.text("hunter22 went deeper-still") == f"{MASK} went {MASK}"


@pytest.mark.parametrize(
    "name", ["bypass", "spin", "symbolId", "passed", "author", "comment", "inside", "key", "code", "login", "totPrice"]
)
def test_a_member_whose_name_only_resembles_a_secrets_is_shown(name: str) -> None:
    shown = Redaction().message(Message(UnknownPayload(9999, {name: "hunter2"})))
    assert shown.payload.body == {name: "hunter2"}


def test_a_known_secret_that_is_a_name_is_hidden_too() -> None:
    redaction = Redaction([SECRET])
    assert redaction.message(Message(UnknownPayload(9999, {SECRET: 1}))).payload.body == {MASK: 1}
    spot = oa.ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1)
    assert redaction.message(Message(spot, unknown_keys={(SECRET, 0): 5})).unknown_keys == {(MASK, 0): 5}


def test_a_value_that_a_text_assigns_to_the_name_of_a_secret_is_hidden() -> None:
    redaction = Redaction()
    assert redaction.text("GET /?a=1&token=hunter22&b=2 HTTP/1.1") == f"GET /?a=1&token={MASK}&b=2 HTTP/1.1"
    assert redaction.text("hunter22") == MASK


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('label token="hunter 22" x', 'label token="***" x'),
        ("accessToken='hunter22' x", "accessToken='***' x"),
        ("token = hunter22 x", "token = *** x"),
        ('{"error":{"accessToken":"hunter22"},"a":1}', '{"error":{"accessToken":"***"},"a":1}'),
        ("client_secret:=hunter22", "client_secret:=***"),
        ("password: hunter22, again", "password: ***, again"),
        ("note: the token: is missing", "note: the token: is missing"),
        ('"pin":7', '"pin":***'),
        ('{"a":{"token":"***"}}', '{"a":{"token":"***"}}'),
    ],
)
def test_a_value_is_hidden_between_quotes_and_behind_spaces_and_colons(text: str, shown: str) -> None:
    redaction = Redaction()
    assert redaction.text(text) == shown
    assert redaction.message(error(text)).payload.description == shown


@pytest.mark.parametrize("size", [1, 60, 80, 120, 200])
def test_such_a_value_is_hidden_in_a_field_of_the_schema_as_in_one_that_nobody_knows(size: int) -> None:
    text, shown = f"pin={'7' * size}&x=1", f"pin={MASK}&x=1"
    assert Redaction().message(error(text)).payload.description == shown
    order = planted(oa.ProtoOAExecutionEvent)
    order.order.tradeData.label = text
    assert Redaction().message(Message(order)).payload.order.tradeData.label == shown
    beats = Message(oa.ProtoHeartbeatEvent(), client_msg_id=text, unknown_keys={("note",): text})
    hidden = Redaction().message(beats)
    assert (hidden.client_msg_id, hidden.unknown_keys) == (shown, {("note",): shown})
    newer = oa.ProtoOAVersionRes.FromString(
        b"\x12\x01v\xba\x3e" + bytes([len(text) & 0x7F | 0x80, len(text) >> 7]) + text.encode()
    )
    assert b"7" not in Redaction([SECRET]).message(Message(newer)).payload.SerializeToString()


@pytest.mark.parametrize("given", ["token={}", 'token="{}"', "accessToken: {}"])
def test_such_a_value_is_hidden_in_an_unknown_field_of_every_message(given: str) -> None:
    text = given.format(SECRET).encode()
    extra = b"\xba\x3e" + bytes((len(text),)) + text
    for cls in oa.PAYLOAD_CLASSES.values():
        payload = cls()
        payload.MergeFromString(extra)
        shown = Redaction().message(Message(payload))
        assert SECRET.encode() not in shown.payload.SerializePartialToString(), cls.__name__
        assert [(each.number, each.value) for each in unknown_fields(shown)] == [(999, MASK.encode())], cls.__name__
    spot = oa.ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1)
    spot.trendbar.add(volume=5).MergeFromString(extra)
    hidden = Redaction().message(Message(spot)).payload
    assert SECRET.encode() not in hidden.SerializePartialToString()
    assert hidden.trendbar[0].volume == 5


@pytest.mark.parametrize("extra", [b"\x12\x18" + SECRET.encode() + b"\x08\x05", GROUP, b"\xff" + SECRET.encode()])
def test_a_known_secret_in_a_payload_of_unknown_type_is_hidden(extra: bytes) -> None:
    shown = Redaction([SECRET]).message(
        Message(UnknownPayload(9999, extra), unknown_envelope=b"\x22\x18" + SECRET.encode())
    )
    assert SECRET.encode() not in everything(shown)
    assert Redaction().message(Message(UnknownPayload(9999, extra))).payload.body == extra


def test_members_of_json_that_nobody_describes_are_hidden_by_their_names() -> None:
    body = {
        "Pass-Word": "short",
        "list": [{"client_secret": SECRET, "n": 1, "none": None}],
        "said": f"a {SECRET}",
        "accessToken": None,
    }
    shown = Redaction([SECRET]).message(
        Message(
            UnknownPayload(9999, body),
            unknown_envelope={"refreshToken": SECRET, "kept": "yes"},
        )
    )
    assert SECRET.encode() not in everything(shown)
    assert shown.payload.body == {
        "Pass-Word": MASK,
        "list": [{"client_secret": MASK, "n": 1, "none": None}],
        "said": f"a {MASK}",
        "accessToken": None,
    }
    assert shown.unknown_envelope == {"refreshToken": MASK, "kept": "yes"}


def test_unknown_keys_are_hidden_by_name_and_in_messages_with_secrets_all_of_them() -> None:
    spot = oa.ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1)
    keys = {("password",): "x", ("trendbar", 0, "said"): SECRET, ("kept",): 5}
    shown = Redaction([SECRET]).message(Message(spot, unknown_keys=keys))
    assert shown.unknown_keys == {("password",): MASK, ("trendbar", 0, "said"): MASK, ("kept",): 5}
    auth = oa.ProtoOAApplicationAuthReq(clientId="id", clientSecret=SECRET)
    shown = Redaction().message(Message(auth, unknown_keys={("newer",): "token"}))
    assert shown.unknown_keys == {("newer",): MASK}


def test_a_secret_that_is_not_there_is_not_made_up() -> None:
    shown = Redaction().message(Message(oa.ProtoOARefreshTokenRes(tokenType="bearer"))).payload
    assert shown == oa.ProtoOARefreshTokenRes(tokenType="bearer")


@pytest.mark.parametrize("at_once", [True, False])
def test_beside_a_secret_so_many_unknown_fields_are_left_out_that_looking_at_each_would_take_long(
    *, at_once: bool
) -> None:
    many = b"\xba\x3e\x18" + SECRET.encode() + b"\xb8\x3e\x05" * 3_000_000
    if at_once:
        many = b"\xbb\x3e" + many + b"\xbc\x3e"  # all of them in one group
    payload = planted(oa.ProtoOAAccountAuthReq, accessToken=SECRET)
    payload.MergeFromString(many)

    shown = Redaction([SECRET]).message(Message(payload)).payload

    assert shown == planted(oa.ProtoOAAccountAuthReq, accessToken=MASK)
    assert Redaction([SECRET]).message(Message(UnknownPayload(9999, many))).payload.body == MASK.encode()
    assert Redaction().message(Message(UnknownPayload(9999, many))).payload.body == many


TOKEN = "abcdef0123456789ABCDEFsecrettoken"


def test_a_text_of_megabytes_is_looked_at_once_or_covered_whole() -> None:
    # With a time that grows by the square of the length, each of these takes hours.
    long = "a" * 1_000_000
    assert Redaction().text("=" + long) == "=" + long
    assert Redaction().text(long + "=") == long + "="
    assert Redaction().text("a=" * 1_000_000) == "*** (2,000,000 characters, not looked at)"
    harmless = error("a" * 15_000_000)
    assert Redaction([SECRET]).message(harmless) is harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"url=https://h/apps/token?refresh_token={TOKEN}&x=1", "url=https://h/apps/token?refresh_token=***&x=1"),
        (f"error=access_token={TOKEN}", "error=access_token=***"),
        (f"token={TOKEN}?more", "token=***"),
        ("token= x=1", "token= ***"),
    ],
)
def test_a_value_may_hold_another_name_and_its_value(text: str, shown: str) -> None:
    assert Redaction().text(text) == shown


@pytest.mark.parametrize("extras", [b"\x22\x21" + TOKEN.encode(), {"extra": TOKEN}, {"extra": {"more": [TOKEN]}}])
def test_what_stands_in_the_envelope_beside_a_secret_is_hidden(extras: Any) -> None:
    payload = planted(oa.ProtoOAAccountAuthReq, accessToken=SECRET)
    shown = Redaction().message(Message(payload, "7", None, extras))
    assert TOKEN.encode() not in everything(shown)
    assert b"***" in everything(Message(oa.ProtoHeartbeatEvent(), "7", None, shown.unknown_envelope))


def test_an_envelope_that_is_hidden_whole_is_still_one_that_is_read() -> None:
    # protobuf follows a hundred groups in groups, we do not.
    extras = b"\x23" * 40 + b"\x2a\x18" + SECRET.encode() + b"\x24" * 40
    shown = Redaction([SECRET]).message(Message(oa.ProtoHeartbeatEvent(), None, None, extras))
    assert [(field.number, field.value) for field in unknown_fields(shown)] == [(4, MASK.encode())]
    assert ProtobufCodec().decode(ProtobufCodec().encode(shown)) == shown


@pytest.mark.parametrize(
    "text",
    [
        '{"payloadType":2142,"payload":{"errorCode":"X","description":"bad TOKEN","sessionToken":"TOKEN"}}',
        '{"clientMsgId":"TOKEN","payloadType":2142,"payload":{"errorCode":"X","sessionToken":"TOKEN"}}',
        '{"payloadType":2142,"payload":{"errorCode":"TOKEN"},"sessionToken":"TOKEN"}',
    ],
)
def test_a_secret_that_the_message_itself_names_is_hidden_ahead_of_its_name_too(text: str) -> None:
    message = JsonCodec().decode(text.replace("TOKEN", TOKEN).encode())
    assert TOKEN.encode() not in everything(Redaction().message(message))


def test_what_a_peer_can_make_it_remember_has_an_end() -> None:
    redaction = Redaction()
    for number in range(300):
        redaction.message(Message(oa.ProtoOAAccountAuthReq(accessToken=f"{number:03}" + "x" * 400_000)))
        redaction.message(Message(oa.ProtoOAAccountAuthReq(accessToken=f"{number:03}-{TOKEN}")))
    assert repr(redaction) == "<Redaction of 256 secrets>"
    assert redaction.text(f"299-{TOKEN} 044-{TOKEN} 043-{TOKEN}") == f"*** *** 043-{TOKEN}"


def deep_in(calls: int, look: Callable[[], Any]) -> Any:
    """What is told by a look from so many calls within each other."""
    return deep_in(calls - 1, look) if calls else look()


@pytest.mark.parametrize("start", ['{"a":', "[", '{"password":', '["pin=secrets7",'])
@pytest.mark.parametrize(
    "place",
    ['{"payloadType":9999,"payload":%s}', '{"payloadType":51,"payload":{"new":%s}}', '{"payloadType":51,"new":%s}'],
)
def test_json_as_deep_as_is_decoded_is_looked_at_from_any_depth_of_calls(start: str, place: str) -> None:
    depth = 1020
    end = "}" if "{" in start else "]"
    inside = f'"{SECRET}"'
    message = JsonCodec().decode((place % (start * depth + inside + end * depth)).encode())
    shown = deep_in(sys.getrecursionlimit() - 250, lambda: Redaction([SECRET]).message(message))
    assert SECRET.encode() not in everything(shown)
    harmless = JsonCodec().decode((place % ("[" * depth + "]" * depth)).encode())
    assert Redaction([SECRET]).message(harmless) is harmless


def test_unknown_fields_of_the_parts_are_kept_where_the_message_has_some_of_its_own() -> None:
    event = planted(oa.ProtoOAExecutionEvent)
    event.order.tradeData.label = f"of {SECRET}"
    own = b"\xb8\x3e\x09\xba\x3e\x18" + SECRET.encode()
    event.MergeFromString(own)
    event.order.MergeFromString(b"\xb8\x3e\x07")
    event.order.tradeData.MergeFromString(b"\xba\x3e\x05plain")
    shown = Redaction([SECRET]).message(Message(event))
    assert [(field.path.partition(".")[2], field.value) for field in unknown_fields(shown)] == [
        ("999", 9),
        ("999", b"***"),
        ("order.999", 7),
        ("order.tradeData.999", b"plain"),
    ]
    accounts = oa.ProtoOAGetAccountListByAccessTokenRes(accessToken=TOKEN)
    for number in (1, 2):
        accounts.ctidTraderAccount.add(ctidTraderAccountId=number).MergeFromString(b"\xb8\x3e\x07\xba\x3e\x02ab")
    accounts.MergeFromString(b"\xb8\x3e\x09\xba\x3e\x02ab")
    shown = Redaction().message(Message(accounts))
    assert [field.value for field in unknown_fields(shown)] == [9, b"***", 7, b"***", 7, b"***"]
    assert [account.ctidTraderAccountId for account in shown.payload.ctidTraderAccount] == [1, 2]


def test_unknown_fields_that_cannot_be_read_are_one_that_is_hidden() -> None:
    deep = b"\xbb\x3e" * 40 + b"\x2a\x18" + SECRET.encode() + b"\xbc\x3e" * 40
    payload = oa.ProtoOAVersionRes.FromString(b"\x12\x01v" + deep)
    shown = Redaction([SECRET]).message(Message(payload))
    assert [(field.number, field.value) for field in unknown_fields(shown)] == [(999, MASK.encode())]


def test_what_only_looks_like_a_secret_leaves_the_message_as_it_is() -> None:
    message = Message(oa.ProtoOAVersionRes.FromString(b"\x12\x06spin=7\xba\x3e\x06spin=7\xb8\x3e\x85\x00"))
    assert Redaction([SECRET]).message(message) is message
    groups = Message(UnknownPayload(9999, b"\xba\x3e\x07Ppin=77"))
    assert Redaction().message(groups) is groups


def test_a_secret_field_is_a_mask_and_no_more_where_the_time_is_spent() -> None:
    payload = oa.ProtoOARefreshTokenRes(accessToken=TOKEN, tokenType="a=" * 260_000, expiresIn=1, refreshToken=SECRET)
    shown = Redaction().message(Message(payload)).payload
    assert shown.tokenType == "*** (520,000 characters, not looked at)"
    assert (shown.accessToken, shown.refreshToken) == (MASK, MASK)


def test_a_list_ends_where_there_is_no_time_for_more_of_it() -> None:
    symbols = oa.ProtoOASymbolsListRes(ctidTraderAccountId=1)
    symbols.symbol.add(symbolId=1, symbolName="pin=7")
    symbols.MergeFromString(b"\x1a\x02\x08\x01" * 200_000)
    symbols.MergeFromString(b"\xb8\x3e\x07")
    shown = Redaction().message(Message(symbols)).payload
    assert 100_000 < len(shown.symbol) < 150_000
    assert shown.symbol[0].symbolName == "pin=***"
    bars = oa.ProtoOAGetTrendbarsRes(ctidTraderAccountId=1, period=1, timestamp=1)
    bars.MergeFromString(b"\x2a\x02\x18\x01" * 200_000 + b"\xba\x3e\x18" + SECRET.encode())
    shown = Redaction([SECRET]).message(Message(bars)).payload
    assert len(shown.trendbar) == 200_000
    assert SECRET.encode() not in shown.SerializeToString()


def test_it_is_told_whether_a_whole_text_holds_a_secret() -> None:
    redaction = Redaction([SECRET, "abc"])
    assert redaction.finds(f'{{"a":"{SECRET}","a":1}}'.encode())
    assert redaction.finds(b"x abc")
    assert redaction.finds(b'"token=7"')
    assert not redaction.finds(b'"abcd token=***"')
    assert not redaction.finds(b"plain")
    assert not redaction.finds(b"\xff" + b"a" * 3_000_000)
