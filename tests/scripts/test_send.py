from __future__ import annotations

import base64
import io
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake import BlockingServer, Host
from anyctrader.fake.faults import Deafness
from anyctrader.fake.tokens import TokenScope
from anyctrader.scripts.raw_bytes import given
from anyctrader.session import Environment
from anyctrader.session.secret import Secret
from anyctrader.session.token_store import StoredPair, TokenPair, TokenStore
from anyctrader.wire import Message, ProtobufCodec, encode_frame
from anyctrader.wire import messages as oa
from anyctrader.wire.drafting import DraftError

from .conftest import Call
from .programs import interrupt, json_lines, started
from .served import served, variables_of
from .test_progress import screen_of

ORDER = ("symbolId=1", "tradeSide=BUY", "volume=100000", "orderType=MARKET")
AUDIT = Path("logs/ctrader/order_audit.jsonl")


@pytest.fixture(scope="module")
def server() -> Iterator[BlockingServer]:
    with served() as running:
        yield running


@pytest.fixture(scope="module")
def live() -> Iterator[BlockingServer]:
    with served(Host.LIVE) as running:
        yield running


def facts() -> list[dict[str, Any]]:
    return json_lines(AUDIT.read_text()) if AUDIT.exists() else []


def body_of(payload: Any, id_: str | None = "mine") -> bytes:
    return ProtobufCodec().encode(Message(payload, id_))


def account_of(server: BlockingServer) -> int:
    return server.account_id


def test_a_proxy_of_the_settings_is_no_way_around_where_it_cannot_be_reached(
    call: Call, server: BlockingServer
) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = call("send", "demo", "TraderReq", **variables_of(server), CTRADER_DEMO_PROXY=proxy)
    assert done.returncode == 3
    assert "the proxy 127.0.0.1" in done.stderr


@pytest.mark.parametrize(("transport", "upgraded"), [("tcp", 0), ("websocket", 1)])
def test_a_request_goes_over_the_transport_of_the_settings(
    call: Call, server: BlockingServer, transport: str, upgraded: int
) -> None:
    before = server.call(lambda it: it.seen.names()).count("upgraded")
    done = call("send", "demo", "TraderReq", **variables_of(server), CTRADER_DEMO_TRANSPORT=transport)
    assert done.returncode == 0, done.stderr
    assert server.call(lambda it: it.seen.names()).count("upgraded") - before == upgraded


def test_a_request_is_completed_sent_and_its_reply_shown_and_timed(call: Call, server: BlockingServer) -> None:
    done = call("send", "demo", "TraderReq", **variables_of(server))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "ProtoOATraderRes (2122)"
    assert "    balance = 10000.00 of deposit currency (1000000)" in done.stdout.splitlines()
    assert "answered in" in done.stderr
    assert not AUDIT.exists()


def test_json_in_and_json_out(call: Call, server: BlockingServer) -> None:
    done = call("send", "demo", "SymbolByIdReq", '{"symbolId": [2]}', "--format", "json", **variables_of(server))
    (line,) = json_lines(done.stdout)
    assert [symbol["symbolId"] for symbol in line["payload"]["symbol"]] == [2]
    assert line["ms"] > 0


def test_fields_may_come_from_stdin(call: Call, server: BlockingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"symbolId": 1}')))
    done = call("send", "demo", "SymbolByIdReq", "-", "--format", "json", **variables_of(server))
    assert json_lines(done.stdout)[0]["name"] == "ProtoOASymbolByIdRes"


def test_what_is_typed_wrong_is_told_before_anything_is_connected(call: Call) -> None:
    for arguments, said in (
        (("TradrReq",), "value for NAME: no message is called 'TradrReq'; near it: ProtoOATraderReq"),
        (
            ("SymbolByIdReq", "symbol=1"),
            "value for FIELD: ProtoOASymbolByIdReq has no field 'symbol'; near it: symbolId",
        ),
        (("TraderReq", "foo=1"), "ProtoOATraderReq has no field 'foo'; its fields: ctidTraderAccountId"),
        (("NewOrderReq", "qqq=1"), "ctidTraderAccountId, symbolId, orderType,"),
        (("SymbolByIdReq", f"symbolId={'9' * 30}"), "symbolId.0: the number is out of range, -9223372036854775808 to"),
        (("SymbolByIdReq", '{"symbolId": %s}' % ("9" * 30)), "symbolId.0: the number is out of range"),
        (("SymbolByIdReq", '{"symbolId": "x"}'), "an integer is due"),
        (("SymbolByIdReq", '{"symbolId": '), "this is no JSON"),
        (("SymbolByIdReq", "{1}"), "this is no JSON"),
        (
            ("TraderReq", '{"%s": 1, "%s": 2}' % (("Zq7-Hk29_pLw83mN5xT1vB6cR4",) * 2)),
            'the key "…" is there twice',
        ),
        (("TraderRes",), "ProtoOATraderRes is nothing that a client says"),
        (("HeartbeatEvent",), "anyctrader ping"),
        ((), "which request?"),
        (("TraderReq", "--raw", "0833"), "either a name or --raw"),
        (("--raw", "what?"), "as hex, as base64"),
        (("--raw", ""), "there are no bytes"),
    ):
        done = call("send", "demo", *arguments)
        assert done.returncode == 2, arguments
        assert said in " ".join(done.stderr.split()), arguments


def test_a_missing_field_is_named(call: Call, server: BlockingServer) -> None:
    done = call("send", "demo", "NewOrderReq", "symbolId=1", **variables_of(server))
    assert done.returncode == 2
    assert "ProtoOANewOrderReq lacks orderType, tradeSide, volume" in done.stderr


def test_a_refusal_of_the_server_is_shown(call: Call, server: BlockingServer) -> None:
    done = call("send", "demo", "OrderDetailsReq", "orderId=1", "--format", "json", **variables_of(server))
    assert done.returncode == 1
    assert json_lines(done.stdout)[0]["error"] == "ORDER_NOT_FOUND"
    assert "the server answered ORDER_NOT_FOUND" in done.stderr


def test_what_trades_goes_on_record(call: Call, server: BlockingServer) -> None:
    done = call("send", "demo", "NewOrderReq", *ORDER, "--format", "json", **variables_of(server))
    assert done.returncode == 0, done.stderr
    assert json_lines(done.stdout)[0]["name"] == "ProtoOAExecutionEvent"
    told = [fact["fact"] for fact in facts()]
    assert told.index("intent") < told.index("sent")


@pytest.mark.parametrize("raw", [False, True])
def test_what_an_order_that_is_sent_by_hand_fills_is_told_and_a_trade_on_record(
    call: Call, server: BlockingServer, raw: bool
) -> None:
    variables = variables_of(server)
    if raw:
        order = oa.ProtoOANewOrderReq(
            ctidTraderAccountId=server.account_id, symbolId=1, tradeSide=1, volume=100_000, orderType=1
        )
        done = call("send", "demo", "--raw", body_of(order).hex(), **variables)
    else:
        done = call("send", "demo", "NewOrderReq", *ORDER, **variables)
    assert done.returncode == 0, done.stderr
    (deal,) = [fact for fact in facts() if fact["fact"] == "deal"]
    assert f"deal {deal['deal_id']}: 1000 units at {deal['price']}\n" in done.stderr
    position = f"positionId={deal['position_id']}"
    closed = call("send", "demo", "ClosePositionReq", position, "volume=100000", **variables)
    assert ", net " in closed.stderr
    trades = json_lines(call("audit", "trades", "--format", "json", **variables).stdout)
    assert [trade.get("origin") for trade in trades] == ["other", "other", None, None]
    assert trades[1]["net_profit"] is not None


def test_an_order_that_waits_for_its_price_is_not_waited_for(call: Call, server: BlockingServer) -> None:
    order = ("symbolId=1", "tradeSide=BUY", "volume=100000", "orderType=LIMIT", "limitPrice=0.5")
    done = call("send", "demo", "NewOrderReq", *order, **variables_of(server))
    assert done.returncode == 0, done.stderr
    assert "deal" not in done.stderr
    assert "its end" not in done.stderr


def test_what_trades_does_not_go_to_live_and_the_refusal_is_on_record(call: Call, live: BlockingServer) -> None:
    done = call("send", "live", "NewOrderReq", *ORDER, **variables_of(live, "LIVE"))
    assert done.returncode == 5
    assert "CTRADER_LIVE_ENABLED" in done.stderr
    assert "refused" in [fact["fact"] for fact in facts()]
    body = body_of(
        oa.ProtoOANewOrderReq(
            ctidTraderAccountId=account_of(live), symbolId=1, tradeSide=1, volume=100_000, orderType=1
        )
    )
    assert call("send", "live", "--raw", body.hex(), **variables_of(live, "LIVE")).returncode == 5
    assert not [fact for fact in facts() if fact["fact"] in ("intent", "sent")]


def test_a_token_is_never_used_up_by_hand(call: Call, server: BlockingServer) -> None:
    done = call("send", "demo", "RefreshTokenReq", "refreshToken=x", **variables_of(server))
    assert done.returncode == 5
    raw = body_of(oa.ProtoOARefreshTokenReq(refreshToken="x")).hex()
    assert call("send", "demo", "--raw", raw, **variables_of(server)).returncode == 5


def test_secrets_of_a_reply_are_hidden(call: Call, server: BlockingServer) -> None:
    done = call("send", "demo", "GetAccountListByAccessTokenReq", **variables_of(server))
    assert done.returncode == 0, done.stderr
    assert '  accessToken = "***"' in done.stdout
    assert server.access_token not in done.stdout + done.stderr


def test_a_pair_that_is_renewed_while_it_connects_is_the_one_that_is_filled_in(call: Call, tmp_path: Path) -> None:
    with served() as server:
        old = TokenPair(access_token=Secret("expired-token"), refresh_token=Secret(server.refresh_token))
        TokenStore(tmp_path / "stored", Environment.DEMO).save(
            StoredPair(client_id=server.client_id, user_id=None, account_ids=(server.account_id,), pair=old)
        )
        variables = variables_of(server) | {"CTRADER_TOKEN_FOLDER": str(tmp_path / "stored")}
        done = call("send", "demo", "GetAccountListByAccessTokenReq", **variables)
        assert "ProtoOARefreshTokenReq" in server.call(lambda fake: fake.seen.names())
    assert done.returncode == 0, done.stderr
    (new,) = TokenStore(tmp_path / "stored", Environment.DEMO).read()
    assert new.pair.access_token != old.access_token
    assert new.pair.access_token.reveal() not in done.stdout + done.stderr


def test_the_password_of_the_settings_is_hidden_like_their_tokens(
    call: Call, server: BlockingServer, tmp_path: Path
) -> None:
    secret = "hunter2-of-the-settings"
    variables = variables_of(server, PASSWORD=secret)
    order = ("symbolId=1", "tradeSide=BUY", "volume=100000", f"label={secret}", f"comment=it is {secret}")
    done = call("send", "demo", "NewOrderReq", *order, "orderType=MARKET", **variables)
    assert done.returncode == 0, done.stderr
    waits = call("send", "demo", "NewOrderReq", *order, "orderType=LIMIT", "limitPrice=0.5", **variables)
    body = body_of(oa.ProtoOAReconcileReq(ctidTraderAccountId=server.account_id))
    raw = call("send", "demo", "--raw", body.hex(), **variables)
    refused = call("send", "demo", "GetAccountListByAccessTokenReq", f"accessToken={secret}", **variables)
    assert "it is ***" in raw.stdout
    assert refused.returncode != 0
    for told in (done, waits, raw, refused):
        assert secret not in told.stdout + told.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert "position_snapshot.jsonl" in [path.name for path in files]
    assert [path.name for path in files if secret in path.read_text()] == []


@pytest.mark.parametrize("framed", [True, False])
def test_raw_bytes_arrive_as_they_were_written(call: Call, server: BlockingServer, framed: bool) -> None:
    # Not as we would write it: the id stands before the payload.
    request = oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id)
    written = oa.ProtoMessage(payloadType=2121, payload=request.SerializeToString()).SerializeToString()
    body = b"\x1a\x05odd-1" + written
    data = encode_frame(body) if framed else body
    done = call("send", "demo", "--raw", base64.b64encode(data).decode(), "--format", "json", **variables_of(server))
    assert done.returncode == 0, done.stderr
    (line,) = json_lines(done.stdout)
    assert (line["name"], line["clientMsgId"]) == ("ProtoOATraderRes", "odd-1")


def test_raw_bytes_that_trade_go_on_record_like_any_order(call: Call, server: BlockingServer) -> None:
    body = body_of(
        oa.ProtoOANewOrderReq(
            ctidTraderAccountId=server.account_id, symbolId=1, tradeSide=1, volume=100_000, orderType=1
        )
    )
    done = call("send", "demo", "--raw", body.hex(), "--format", "json", **variables_of(server))
    assert done.returncode == 0, done.stderr
    assert json_lines(done.stdout)[0]["name"] == "ProtoOAExecutionEvent"
    assert json_lines(done.stdout)[0]["ms"] > 0
    assert {"intent", "sent"} <= {fact["fact"] for fact in facts()}


def test_a_refusal_of_the_guard_is_a_json_line_too_and_how_raw_bytes_were_read_is_remarked(
    call: Call, live: BlockingServer
) -> None:
    order = {"symbolId": 1, "orderType": 1, "tradeSide": 1, "volume": 100_000}
    body = body_of(oa.ProtoOANewOrderReq(ctidTraderAccountId=live.account_id, **order))
    for arguments in (("NewOrderReq", *ORDER), ("--raw", body.hex())):
        done = call("send", "live", *arguments, "--format", "json", **variables_of(live, "LIVE"))
        assert done.returncode == 5
        (line,) = json_lines(done.stdout)
        assert (line["error"], line["refused"]) == ("LiveTradingDisabled", True)
        assert line["description"] in done.stderr.replace("\n", " ")
    assert f"{len(body)} bytes, read as hex" in done.stderr


def test_a_refusal_of_the_server_is_a_json_line_however_the_request_was_given(
    call: Call, server: BlockingServer
) -> None:
    request = oa.ProtoOACancelOrderReq(ctidTraderAccountId=server.account_id, orderId=123_456)
    for arguments in (("CancelOrderReq", "orderId=123456"), ("--raw", body_of(request).hex())):
        done = call("send", "demo", *arguments, "--format", "json", **variables_of(server))
        assert done.returncode == 1
        (line,) = json_lines(done.stdout)
        assert line["error"] == "ORDER_NOT_FOUND"
        assert line["ms"] > 0
        assert "ORDER_NOT_FOUND" in done.stderr


def test_raw_bytes_that_nobody_can_read_go_to_demo_with_a_line_in_the_audit(call: Call, server: BlockingServer) -> None:
    done = call("send", "demo", "--raw", "0000000308ffff", "--timeout", "0.5", **variables_of(server))
    assert done.returncode in (1, 4)  # the server answers with an error or ends the connection
    (fact,) = [fact for fact in facts() if fact["fact"] == "raw_bytes"]
    assert (fact["size"], len(fact["sha256"])) == (7, 64)
    done = call("send", "demo", "--raw", "0000000308ffff", **variables_of(server, TRADING="off", MODE="off"))
    assert "Traceback" not in done.stderr


def test_raw_bytes_that_nobody_can_hold_against_a_limit_do_not_go_where_one_is_set(call: Call) -> None:
    with served() as server:
        for raw in (
            "0000000308ffff",
            "0897110802",
            oa.ProtoMessage(payloadType=2199, payload=b"").SerializeToString().hex(),
        ):
            done = call("send", "demo", "--raw", raw, **variables_of(server, MOST_POSITIONS="3"))
            assert done.returncode == 5, raw
            assert "limits are set for demo (most_positions)" in done.stderr
        assert server.call(lambda fake: fake.seen.total) == 0
    assert {fact["error"] for fact in facts() if fact["fact"] == "refused"} == {"LimitExceeded"}


def test_a_token_that_may_only_look_lets_neither_orders_nor_unreadable_bytes_out(call: Call) -> None:
    with served() as server:
        viewing = server.call(lambda fake: fake.grant(scope=TokenScope.VIEW)).access_token
        for arguments in (("NewOrderReq", *ORDER), ("--raw", "0000000308ffff")):
            done = call("send", "demo", *arguments, **variables_of(server, ACCESS_TOKEN=viewing))
            assert done.returncode == 5
            assert "view scope" in done.stderr
        names = server.call(lambda fake: fake.seen.names())
    assert "ProtoOANewOrderReq" not in names
    assert [name for name in names if name != "closed"][-1] == "ProtoOAAccountAuthReq"  # and behind it nothing
    assert [fact["request"] for fact in facts() if fact["fact"] == "refused"] == ["ProtoOANewOrderReq", "raw bytes"]


def test_a_token_of_the_other_environment_is_not_sent(call: Call, server: BlockingServer, live: BlockingServer) -> None:
    request = oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=live.access_token)
    variables = variables_of(server) | variables_of(live, "LIVE")
    for arguments in (
        ("GetAccountListByAccessTokenReq", f"accessToken={live.access_token}"),
        ("--raw", body_of(request).hex()),
    ):
        done = call("send", "demo", *arguments, **variables)
        assert done.returncode == 5
        assert "a secret of live is in it" in done.stderr
        assert live.access_token not in done.stderr
    received = server.call(lambda fake: str([seen.message for seen in fake.seen]))
    assert live.access_token not in received


@pytest.mark.parametrize("trades", [False, True])
def test_whoever_waits_for_the_answer_to_raw_bytes_sees_that_something_goes_on(
    call: Call, server: BlockingServer, monkeypatch: pytest.MonkeyPatch, trades: bool
) -> None:
    screen = screen_of(monkeypatch, after_s=0.0)
    payload: Any = oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id)
    if trades:
        order = {"symbolId": 1, "orderType": 1, "tradeSide": 1, "volume": 100_000}
        payload = oa.ProtoOANewOrderReq(ctidTraderAccountId=server.account_id, **order)
    deaf = server.call(lambda fake: fake.faults.inject(Deafness(type(payload).__name__)))
    done = call("send", "demo", "--raw", body_of(payload).hex(), "--timeout", "0.5", **variables_of(server))
    server.call(lambda _: deaf.remove())
    assert done.returncode == 4
    drawn = screen.getvalue()
    assert "\rconnecting to 127.0.0.1:" in drawn
    assert "\rwaiting for the answer, 0 s\x1b[K" in drawn


def test_raw_bytes_that_nobody_can_read_do_not_go_to_live(call: Call, live: BlockingServer) -> None:
    for raw in ("0000000308ffff", "088f4e12020801"):
        done = call("send", "live", "--raw", raw, **variables_of(live, "LIVE", ENABLED="true"))
        assert done.returncode == 5
        assert "what nobody can read does not go to live" in done.stderr
        line = facts()[-1]
        assert (line["fact"], line["environment"], line["request"]) == ("refused", "live", "raw bytes")


def with_repeated_keys(server: BlockingServer) -> bytes:
    """An order to who takes the first of two keys, a read to who takes the last."""
    account = server.account_id
    order = f'{{"ctidTraderAccountId":{account},"symbolId":1,"orderType":1,"tradeSide":1,"volume":100000}}'
    read = f'{{"ctidTraderAccountId":{account}}}'
    return f'{{"payloadType":2106,"payload":{order},"payloadType":2121,"payload":{read}}}'.encode()


def test_json_with_repeated_keys_does_not_go_to_live(call: Call, live: BlockingServer) -> None:
    more = {"CODEC": "json", "PORT": str(live.json_port)}
    nested = b'{"payloadType":2121,"payload":{"ctidTraderAccountId":1,"ctidTraderAccountId":%d}}' % live.account_id
    in_other_case = b'{"PayloadType":2106,"payloadType":2121,"payload":{"ctidTraderAccountId":%d}}' % live.account_id
    for body in (with_repeated_keys(live), nested, encode_frame(nested), in_other_case):
        for enabled in ("true", "false"):
            done = call("send", "live", "--raw", body.hex(), **variables_of(live, "LIVE", ENABLED=enabled, **more))
            assert done.returncode == 5, done.stdout
            assert "what nobody can read does not go to live" in done.stderr


def test_json_with_repeated_keys_goes_to_demo_as_bytes_that_nobody_can_read(call: Call, server: BlockingServer) -> None:
    data = encode_frame(with_repeated_keys(server))
    more = {"CODEC": "json", "PORT": str(server.json_port)}
    assert call("halt", "demo", "--why", "the test", **variables_of(server, **more)).returncode == 0
    done = call("send", "demo", "--raw", data.hex(), **variables_of(server, **more))
    assert done.returncode == 5
    assert [fact["request"] for fact in facts() if fact["fact"] == "refused"] == ["raw bytes"]
    assert call("resume", "demo", **variables_of(server, **more)).returncode == 0
    call("send", "demo", "--raw", data.hex(), "--timeout", "0.5", **variables_of(server, **more))
    (fact,) = [fact for fact in facts() if fact["fact"] == "raw_bytes"]
    assert fact["size"] == len(data)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (['{"symbolId":1,"orderType":1,"tradeSide":1,"volume":100000,"volume":900000}'], 'the key "volume" is there'),
        (['{"symbolId":1,"orderType":1,"tradeSide":1,"volume":100000}', "volume=200000"], "volume was given twice"),
        (['{"symbolId":1,"orderType":1,"tradeSide":1,"volume":100000}', '{"volume":2}'], "volume was given twice"),
        (["symbolId=1", "orderType=1", "tradeSide=1", "volume=100000", "volume=200000"], "given twice"),
    ],
)
def test_a_field_that_is_said_twice_is_a_usage_error_and_nothing_is_traded(
    call: Call, server: BlockingServer, fields: list[str], said: str
) -> None:
    before = server.call(lambda fake: fake.seen.names())
    done = call("send", "demo", "NewOrderReq", *fields, **variables_of(server))
    assert done.returncode == 2, done.stdout
    assert said in " ".join(done.stderr.split())
    assert server.call(lambda fake: fake.seen.names()) == before


def test_the_parts_of_a_request_may_be_said_one_by_one(call: Call, server: BlockingServer) -> None:
    fields = ('{"symbolId":1,"orderType":1}', '{"tradeSide":1}', "volume=100000")
    assert call("send", "demo", "NewOrderReq", *fields, **variables_of(server)).returncode == 0


def test_a_message_cannot_hide_behind_another(call: Call, server: BlockingServer) -> None:
    order = oa.ProtoOANewOrderReq(ctidTraderAccountId=1, symbolId=1, tradeSide=1, volume=1, orderType=1)
    data = encode_frame(body_of(oa.ProtoOAVersionReq())) + encode_frame(body_of(order))
    done = call("send", "demo", "--raw", data.hex(), **variables_of(server))
    assert done.returncode == 5
    assert "more than one message" in done.stderr


def test_bytes_may_be_given_in_several_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    body = body_of(oa.ProtoOAVersionReq())
    assert given(body.hex(" ")) == (body, "hex")
    assert given(base64.b64encode(body).decode()) == (body, "base64")
    assert given('{"payloadType":2104}') == (b'{"payloadType":2104}', "JSON")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body)))
    assert given("-") == (body, "binary")
    with pytest.raises(DraftError):
        given("what?")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bytes(1 << 20) + b"x")))
    with pytest.raises(DraftError, match="more than 1,048,576 bytes: nothing was sent"):
        given("-")


def test_a_server_that_is_not_there_is_no_traceback(call: Call, server: BlockingServer) -> None:
    done = call("send", "demo", "TraderReq", **variables_of(server, CA_FILE=""))
    assert done.returncode == 3
    assert "certificate is not trusted" in done.stderr
    done = call("send", "live", "TraderReq", **variables_of(server))
    assert done.returncode == 2
    assert "no key of live is set" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("TraderReq",), 1, "interrupted"),
        (("NewOrderReq", *ORDER), 4, "Look before it is repeated"),
        (("--raw", "08b810"), 4, "Look before it is repeated"),
    ],
)
def test_an_interrupted_request_says_whether_anything_is_in_doubt(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, served() as server:
        variables = variables_of(server, PORT=str(silent.getsockname()[1]), CONNECT_S="60")
        with started("send", "demo", *arguments, cwd=tmp_path, **variables) as process:
            peer, _ = silent.accept()
            with peer:  # it is connecting, and hears nothing
                process.send_signal(signal.SIGINT)
                _, remarks = interrupt(process)  # a second one at once changes nothing
    assert process.returncode == code
    assert said in remarks
    assert "Traceback" not in remarks
