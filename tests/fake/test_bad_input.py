"""Whatever a client sends, the server answers as docs/protocol.md says or closes; it stays, and nobody else notices."""

from __future__ import annotations

import json
import socket
import ssl
import struct
from contextlib import suppress
from dataclasses import replace
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anyctrader.fake import FakeServer, Limits, Timing, TokenScope
from anyctrader.fake.choices import Breach, LimitCheck, Oversize
from anyctrader.proto import schema as oa
from anyctrader.wire.framing import Delimiting

from .quick import QUICK
from .raw_client import Gone, RawClient, connected

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["protobuf", "json"])
def flavour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def still_serves(server: FakeServer) -> None:
    for flavour in ("protobuf", "json"):
        async with connected(server, flavour) as client:
            assert (await client.ask(oa.ProtoOAVersionReq())).version == "91"


async def send_json(client: RawClient, text: str | dict[str, Any]) -> None:
    await client.send_body(text.encode() if isinstance(text, str) else json.dumps(text).encode())


# -- messages that cannot be read ------------------------------------------------------------------


async def test_unparsable_json_is_told_where_and_closed() -> None:
    async with FakeServer(QUICK) as server, connected(server, "json") as client:
        await send_json(client, '{"cli')
        (error,) = await client.gone()
        assert (error.type, error.id, error.errorCode) == (2142, None, "INVALID_REQUEST")
        assert error.description.startswith("Malformed JSON message at 1:")
        await still_serves(server)


@pytest.mark.parametrize("text", ["[]", "1", "null", '{"payloadType":"x"}', '{"payloadType":-1}', "{}", '"a"', ""])
async def test_json_that_is_no_envelope_is_refused_and_closed(text: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, "json") as client:
        await send_json(client, text)
        assert [error.errorCode for error in await client.gone()] == ["INVALID_REQUEST"]


async def test_a_protobuf_body_that_is_no_envelope_closes_the_connection() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        await client.send_body(b"\xff" * 40)
        assert await client.gone() == []
        await still_serves(server)


async def test_a_missing_required_field_is_named_and_the_link_is_kept(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        await client.send(oa.ProtoOAApplicationAuthReq(clientId="x"), "1")
        error = await client.receive()
        assert (error.id, error.errorCode) == ("1", "INVALID_REQUEST")
        assert error.description == "Message missing required fields: clientSecret"
        assert (await client.authorise(server)).name == "ProtoOAAccountAuthRes"


async def test_a_wrong_type_number_complains_about_a_field_of_the_other_message() -> None:
    async with FakeServer(QUICK) as server, connected(server, "json") as client:
        await send_json(client, {"clientMsgId": "1", "payloadType": 2102, "payload": {"clientId": "x"}})
        assert "ctidTraderAccountId" in (await client.receive()).description


@pytest.mark.parametrize(
    "payload", [{"clientId": 5, "clientSecret": "y"}, [], "text", {"clientId": {}, "clientSecret": []}]
)
async def test_json_of_the_wrong_shape_is_an_invalid_request(payload: Any) -> None:
    async with FakeServer(QUICK) as server, connected(server, "json") as client:
        await send_json(client, {"clientMsgId": "1", "payloadType": 2100, "payload": payload})
        error = await client.receive()
        assert (error.id, error.errorCode) == ("1", "INVALID_REQUEST")


async def test_json_takes_names_for_enums_strings_for_numbers_scalars_for_lists_and_unknown_keys() -> None:
    async with FakeServer(QUICK) as server, connected(server, "json") as client:
        await client.authorise(server)
        await send_json(
            client,
            {
                "clientMsgId": "s",
                "payloadType": 2127,
                "payload": {"ctidTraderAccountId": str(server.account_id), "symbolId": 1, "what": "is this"},
            },
        )
        assert (await client.until("ProtoOASubscribeSpotsRes")).id == "s"
        order = {"ctidTraderAccountId": server.account_id, "symbolId": 1, "volume": 100_000}
        await send_json(
            client,
            {
                "clientMsgId": "o",
                "payloadType": 2106,
                "payload": {**order, "orderType": "MARKET", "tradeSide": "BUY"},
            },
        )
        assert (await client.until("ProtoOAExecutionEvent")).id == "o"


async def test_a_payload_type_that_nobody_knows_is_not_supported(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        await client.authorise(server)
        for number in (2190, 2192, 4_000):  # section 15: what a server says to the PnL messages
            if flavour == "json":
                await send_json(client, {"clientMsgId": "x", "payloadType": number, "payload": {}})
            else:
                await client.send_body(oa.ProtoMessage(payloadType=number, clientMsgId="x").SerializeToString())
            error = await client.receive()
            assert (error.name, error.id, error.errorCode) == ("ProtoOAErrorRes", "x", "UNSUPPORTED_MESSAGE")


async def test_what_only_a_server_says_is_not_supported(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        await client.authorise(server)
        for message in (
            oa.ProtoOAAccountAuthRes(ctidTraderAccountId=server.account_id),
            oa.ProtoOAAccountDisconnectEvent(ctidTraderAccountId=server.account_id),
            oa.ProtoOAErrorRes(errorCode="X"),
        ):
            assert (await client.ask(message)).errorCode == "UNSUPPORTED_MESSAGE"
        trader = await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id))
        assert trader.name == "ProtoOATraderRes"


# -- streams that break ----------------------------------------------------------------------------


@pytest.mark.parametrize("choice", list(Oversize))
async def test_a_frame_too_long_is_named_or_not_and_closed(choice: Oversize, flavour: str) -> None:
    limited = replace(QUICK, limits=Limits(frame_bytes=1_000, oversize=choice))
    async with FakeServer(limited) as server, connected(server, flavour) as client:
        await client.stream.send(struct.pack(">I", 1_001))
        codes = [error.errorCode for error in await client.gone()]
        assert codes == (["FRAME_TOO_LONG"] if choice is Oversize.ERROR_THEN_CLOSE else [])
        await still_serves(server)


async def test_a_client_that_leaves_inside_a_frame_is_only_noticed(flavour: str) -> None:
    async with FakeServer(QUICK) as server:
        async with connected(server, flavour) as client:
            await client.stream.send(struct.pack(">I", 100) + b"half")
            await server.wait_for("connected")
        closed = await server.wait_for("closed")
        assert "inside a frame" in closed[0].text
        await still_serves(server)


async def test_plain_text_on_a_tls_port_is_noted_as_a_failed_handshake() -> None:
    async with FakeServer(QUICK) as server:
        stream = await anyio.connect_tcp(server.host, server.port)
        async with stream:
            await stream.send(b"GET / HTTP/1.1\r\n\r\n")
            await server.wait_for("handshake failed")
        await still_serves(server)


async def test_a_client_that_says_nothing_in_the_handshake_is_dropped_in_time() -> None:
    async with FakeServer(replace(QUICK, timing=Timing(handshake_s=0.1, answer_s=0))) as server:
        async with await anyio.connect_tcp(server.host, server.port) as stream:
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)), anyio.fail_after(10):
                await stream.receive()
            assert (await server.wait_for("handshake failed"))[0].text == "TimeoutError"


async def test_a_reset_is_only_noticed() -> None:
    async with FakeServer(QUICK) as server:
        async with connected(server) as client:
            await client.authorise(server)
            raw = client.stream.extra(anyio.abc.SocketAttribute.raw_socket)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await server.wait_for("closed")
        await still_serves(server)


async def test_an_old_tls_version_is_refused() -> None:
    context = ssl.create_default_context()
    async with FakeServer(QUICK) as server:
        context.load_verify_locations(server.ca_file)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, anyio.BrokenResourceError)):
            await anyio.connect_tcp(server.host, server.port, tls=True, ssl_context=context, tls_hostname="localhost")


async def test_a_client_that_does_not_read_is_dropped_and_the_others_are_served() -> None:
    limited = replace(QUICK, limits=Limits(outbox_bytes=30_000_000))
    async with FakeServer(limited) as server, connected(server) as deaf, connected(server) as other:
        await deaf.authorise(server)
        await other.authorise(server)
        server.clients[1].write(bytes(29_999_900), now_s=0)  # more than the system takes off our hands
        await deaf.send(oa.ProtoOASymbolByIdReq(ctidTraderAccountId=server.account_id, symbolId=[1, 2]), "x")
        closed = await server.wait_for("closed", client=1)
        assert "does not read" in closed[0].text
        assert (await other.ask(oa.ProtoOAVersionReq())).version == "91"


async def test_a_client_that_does_not_read_cannot_hold_up_its_end() -> None:
    patient = replace(QUICK, timing=Timing(answer_s=0, closing_s=0.1), limits=Limits(outbox_bytes=10**9))
    async with FakeServer(patient) as server, connected(server) as deaf:
        await deaf.ask(oa.ProtoOAVersionReq())
        server.clients[1].write(bytes(30_000_000), now_s=0)  # more than the system takes off our hands
        server.clients[1].close("enough")
        assert (await server.wait_for("closed"))[0].text == "enough"


async def test_a_long_message_is_seen_but_not_kept(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        await client.ask(oa.ProtoOAApplicationAuthReq(clientId="x" * 20_000, clientSecret="y"))
        await client.ask(oa.ProtoOAApplicationAuthReq(clientId="x", clientSecret="y"))
        long, short = await server.wait_for("ProtoOAApplicationAuthReq", count=2)
        assert (long.message, short.message.clientId) == (None, "x")


async def test_a_list_with_too_many_entries_is_refused_and_one_that_repeats_itself_is_told_once(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        await client.authorise(server)
        account = {"ctidTraderAccountId": server.account_id}
        for message in (
            oa.ProtoOASymbolByIdReq(**account, symbolId=[1] * 5_001),
            oa.ProtoOASubscribeSpotsReq(**account, symbolId=[1] * 5_001),
            oa.ProtoOAExpectedMarginReq(**account, symbolId=1, volume=[100_000] * 5_001),
        ):
            refused = await client.ask(message)
            assert refused.errorCode == "INVALID_REQUEST"
            assert refused.description.endswith("has 5001 entries. At most 5000 are allowed")
        told = await client.ask(oa.ProtoOASymbolByIdReq(**account, symbolId=[2, 1, 2] * 1_000))
        assert [symbol.symbolId for symbol in told.symbol] == [2, 1]


# -- rates -----------------------------------------------------------------------------------------


async def test_too_many_requests_are_blocked_by_payload_type_with_a_time_to_wait(flavour: str) -> None:
    limited = replace(QUICK, limits=Limits(ordinary_per_window=5))
    async with FakeServer(limited) as server, connected(server, flavour) as client:
        await client.authorise(server)
        answers = [await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id)) for _ in range(4)]
        assert [answer.name for answer in answers] == ["ProtoOATraderRes"] * 3 + ["ProtoOAErrorRes"]
        assert (answers[3].errorCode, answers[3].retryAfter) == ("BLOCKED_PAYLOAD_TYPE", 1)
        assert len(server.clients) == 1


async def test_historical_requests_have_a_budget_of_their_own() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        await client.authorise(server)
        history = oa.ProtoOADealListReq(ctidTraderAccountId=server.account_id, fromTimestamp=1, toTimestamp=2)
        names = [(await client.ask(history)).name for _ in range(6)]
        assert names == ["ProtoOADealListRes"] * 5 + ["ProtoOAErrorRes"]
        trader = await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id))
        assert trader.name == "ProtoOATraderRes"


async def test_the_older_answer_to_too_many_requests(flavour: str) -> None:
    limited = replace(QUICK, limits=Limits(ordinary_per_window=1, breach=Breach.FREQUENCY))
    async with FakeServer(limited) as server, connected(server, flavour) as client:
        await client.ask(oa.ProtoOAVersionReq())
        error = await client.ask(oa.ProtoOAVersionReq())
        assert (error.errorCode, error.description, error.ctidTraderAccountId) == (
            "REQUEST_FREQUENCY_EXCEEDED",
            "You have reached the rate limit of requests",
            0,
        )
        assert error.has("ctidTraderAccountId")


async def test_repeated_breaches_may_close_the_connection() -> None:
    limited = replace(QUICK, limits=Limits(ordinary_per_window=1, breaches_before_close=3))
    async with FakeServer(limited) as server, connected(server) as client:
        for _ in range(6):
            await client.send(oa.ProtoOAVersionReq())
        names = [answer.name for answer in await client.gone()]
        assert names == ["ProtoOAVersionRes"] + ["ProtoOAErrorRes"] * 3


async def test_rates_are_counted_for_each_connection_alone() -> None:
    limited = replace(QUICK, limits=Limits(ordinary_per_window=1))
    async with FakeServer(limited) as server, connected(server) as one, connected(server) as two:
        assert (await one.ask(oa.ProtoOAVersionReq())).name == "ProtoOAVersionRes"
        assert (await two.ask(oa.ProtoOAVersionReq())).name == "ProtoOAVersionRes"


async def test_an_application_has_only_so_many_connections() -> None:
    limited = replace(QUICK, limits=Limits(connections=1))
    async with FakeServer(limited) as server, connected(server) as one, connected(server) as two:
        assert (await one.authorise_app(server)).name == "ProtoOAApplicationAuthRes"
        assert (await two.authorise_app(server)).errorCode == "CONNECTIONS_LIMIT_EXCEEDED"


async def test_the_number_of_connections_may_be_checked_as_they_come() -> None:
    limited = replace(QUICK, limits=Limits(connections=1, connections_checked=LimitCheck.ACCEPT))
    async with FakeServer(limited) as server, connected(server) as one, connected(server) as two:
        assert await two.gone() == []
        assert (await one.ask(oa.ProtoOAVersionReq())).name == "ProtoOAVersionRes"


# -- anything --------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiting", [Delimiting.NEWLINE, Delimiting.OBJECTS])
async def test_json_may_be_delimited_otherwise(delimiting: Delimiting) -> None:
    async with FakeServer(replace(QUICK, json_delimiting=delimiting)) as server, connected(server, "json") as client:
        await client.stream.send(b'{"clientMsgId":"1","payloadType":2104}\n{"payloadType":51}\n')
        with anyio.fail_after(10):
            text = await client.stream.receive()
        assert json.loads(text) == {"clientMsgId": "1", "payloadType": 2105, "payload": {"version": "91"}}


def every_request() -> list[type[Any]]:
    return [cls for name, cls in sorted(oa.MESSAGES.items()) if name.startswith("ProtoOA") and name.endswith("Req")]


def filled(cls: type[Any], server: FakeServer) -> Any:
    """A request with something in each required field."""
    message = cls()
    for field in cls.DESCRIPTOR.fields:
        if field.name == "ctidTraderAccountId":
            message.ctidTraderAccountId = server.account_id
        elif field.is_required and field.message_type is None and field.name != "payloadType":
            value = (
                field.default_value if field.enum_type is not None else "x" if field.type == field.TYPE_STRING else 1
            )
            setattr(message, field.name, value)
        elif field.is_required and field.message_type is not None:
            for inner in field.message_type.fields:
                if inner.is_required:
                    setattr(getattr(message, field.name), inner.name, inner.default_value or 1)
    return message


async def test_every_published_request_gets_an_answer(flavour: str) -> None:
    limited = replace(QUICK, limits=Limits(historical_per_window=1_000))
    async with FakeServer(limited) as server, connected(server, flavour) as client:
        await client.authorise(server)
        kinds = every_request()
        assert len(kinds) == 40
        for cls in kinds:
            if cls is oa.ProtoOAAccountLogoutReq:
                continue
            answer = await client.ask(filled(cls, server), f"about {cls.__name__}")
            if answer.name in ("ProtoOAErrorRes", "ProtoOAOrderErrorEvent"):
                assert answer.errorCode not in ("UNSUPPORTED_MESSAGE", "UNKNOWN_ERROR"), cls
        logout = oa.ProtoOAAccountLogoutReq(ctidTraderAccountId=server.account_id)
        assert (await client.ask(logout)).name == "ProtoOAAccountLogoutRes"
        server.check()


NUMBERS = st.sampled_from([2100, 2102, 2106, 2121, 2124, 2127, 2149, 2173, 51, 9_999])
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
KEYS = st.sampled_from(["ctidTraderAccountId", "symbolId", "accessToken", "x"])
PAYLOADS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
BODIES = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=40).map(str.encode),
    st.builds(
        lambda number, body: oa.ProtoMessage(payloadType=number, payload=body).SerializeToString(),
        NUMBERS,
        st.binary(max_size=60),
    ),
    st.builds(lambda number, load: json.dumps({"payloadType": number, "payload": load}).encode(), NUMBERS, PAYLOADS),
)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(visits=st.lists(st.lists(BODIES, max_size=5), min_size=1, max_size=8))
async def test_nothing_that_is_sent_ends_the_server_or_leaks_an_account(
    visits: list[list[bytes]], flavour: str
) -> None:
    """Invariant: after any frames whatever, a stranger gets no data of an account, and the server serves the next."""
    async with FakeServer(QUICK) as server:
        for bodies in visits:
            async with connected(server, flavour) as client:
                assert await names_after(client, bodies) <= {"ProtoOAErrorRes", "ProtoOAVersionRes"}
            server.check()
        async with connected(server, flavour) as another:
            assert (await another.ask(oa.ProtoOAVersionReq())).version == "91"


async def names_after(client: RawClient, bodies: list[bytes]) -> set[str]:
    """What the server says to these, until it answers a last question or ends the connection."""
    names: set[str] = set()
    with suppress(Gone, anyio.BrokenResourceError):
        for body in bodies:
            await client.send_body(body)
        await client.send(oa.ProtoOAVersionReq(), "fence")
        while (answer := await client.receive()).id != "fence":
            names.add(answer.name)
    return names


async def test_an_account_that_belongs_to_others_gives_nothing_away(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as owner, connected(server, flavour) as thief:
        await owner.authorise(server)
        nobody = server.directory.add_application()
        token = server.directory.consent(
            nobody.client_id, 2, account_ids=(), scope=TokenScope.TRADE, now_ms=server.now_ms
        ).access_token
        await thief.ask(oa.ProtoOAApplicationAuthReq(clientId=nobody.client_id, clientSecret=nobody.client_secret))
        listed = await thief.ask(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=token))
        assert not listed.ctidTraderAccount
        for cls in every_request():
            request = filled(cls, server)
            if "accessToken" in cls.DESCRIPTOR.fields_by_name:
                request.accessToken = token
            answer = await thief.ask(request)
            assert answer.name in ("ProtoOAErrorRes", "ProtoOAVersionRes", *MAY_ALL), answer
        await owner.send(
            oa.ProtoOANewOrderReq(
                ctidTraderAccountId=server.account_id,
                symbolId=1,
                orderType=oa.ProtoOAOrderType.MARKET,
                tradeSide=oa.ProtoOATradeSide.BUY,
                volume=100_000,
            )
        )
        for _ in range(2):
            await owner.until("ProtoOAExecutionEvent")
        await thief.send(oa.ProtoOAVersionReq(), "fence")
        assert (await thief.receive()).id == "fence"


MAY_ALL = ("ProtoOAGetAccountListByAccessTokenRes", "ProtoOAGetCtidProfileByTokenRes")
"""What any token of any user may be answered with."""
