"""Steps on a timeline, under a clock that only the test moves (docs/protocol.md sections 4 to 7, 19)."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import anyio
import pytest

from anyctrader.fake import Clock, FakeServer, FakeServerFailed, Step, StepError, faults
from anyctrader.fake.choices import Weekend
from anyctrader.fake.settings import AnswerVariants
from anyctrader.fake.vocabulary import DEEDS, FAULTS, checked
from anyctrader.proto import schema as oa

from .quick import QUICK
from .raw_client import Gone, RawClient, connected
from .test_faults import market_order

HELD = replace(QUICK, clock=Clock.HELD, clock_ms=1_790_000_000_000)


def at(text: str) -> Step:
    return Step.from_text(text)


# What a line or a table says


def test_a_line_says_what_when_for_how_long_and_to_whom() -> None:
    step = at(
        "late which=ProtoOAExecutionEvent:ORDER_FILLED delay_s=2 after=ProtoOANewOrderReq count=3 at_s=1.5 client=2"
    )
    assert (step.do, step.after, step.count, step.at_s, step.client) == ("late", "ProtoOANewOrderReq", 3, 1.5, 2)
    assert checked(step) == {"which": "ProtoOAExecutionEvent:ORDER_FILLED", "delay_s": 2.0}
    assert at("disconnect_clients reason='good bye' at_s=1").arguments == {"reason": "good bye"}
    assert Step.from_table({"do": "silence", "for_s": 3}) == Step("silence", for_s=3.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no step"),
        ("'", "is no step"),
        ("silence now", "no key=value"),
        ("silence =1", "no key=value"),
        ("silence at_s=soon", "a number is due"),
        ("silence at_s=-1", "no time to come"),
        ("silence at_s=inf", "no time to come"),
        ("silence for_s=nan", "no time to come"),
        ("silence client=0", "counted from 1"),
        ("silence after=connected count=0", "counted from 1"),
        ("dance", "nothing is called 'dance'"),
        ("silence nth=1", "knows no 'nth'"),
        ("delay", "needs delay_s"),
        ("delay delay_s=nan", "seconds is due"),
        ("delay delay_s=long", "seconds is due"),
        ("drop_after nth=1.5", "whole number"),
        ("drop_after which=Nothing", "no message is called that"),
        ("drop_after which=ProtoOASpotEvent:ORDER_FILLED", "one of its types"),
        ("drop_after which=ProtoOAExecutionEvent:FILLED", "one of its types"),
        ("wrong_tls wrong=all", "one of name, authority, expired"),
        ("replace data=xyz", "hexadecimal"),
        ("set_price symbol=EURUSD bid=1.2", "needs ask"),
        ("set_price symbol=EURUSD bid=1.200001 ask=1.3", "five decimals"),
        ("set_price symbol=EURUSD bid=much ask=1.3", "five decimals"),
        ("deposit amount=1.5", "whole number"),
        ("drop_clients for_s=1", "done at once"),
        ("drop_clients client=1", "concerns all clients"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(StepError, match=said):
        checked(at(text))


@pytest.mark.parametrize(
    "table",
    [{}, {"do": 1}, {"do": "silence", "after": 1}, {"do": "silence", "at_s": True}, {"do": "lose", "nth": True}],
)
def test_a_table_of_the_wrong_kind_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(StepError):
        checked(Step.from_table(table))


def test_every_fault_that_code_can_inject_has_a_name_for_steps() -> None:
    assert {kind.__name__ for kind, _ in FAULTS.values()} == set(faults.__all__)
    assert not FAULTS.keys() & DEEDS.keys()


# On the timeline


async def answered(client: RawClient, msg_id: str) -> bool:
    """Whether a question is answered: another, asked behind it, tells."""
    await client.send(oa.ProtoOAVersionReq(), msg_id)
    await client.send(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken="x"), "fence")
    ids = []
    while not ids or ids[-1] != "fence":
        ids.append((await client.receive()).id)
    return msg_id in ids


@pytest.mark.anyio
async def test_a_fault_begins_at_its_time_and_ends_after_its_time() -> None:
    step = at("unanswering which=ProtoOAVersionRes at_s=5 for_s=3")
    async with FakeServer(replace(HELD, steps=(step,))) as server, connected(server) as client:
        await client.authorise_app(server)
        heard = []
        for second in range(10):
            heard.append(await answered(client, f"at {second}"))
            server.pass_time(1)
        assert heard == [True] * 5 + [False] * 3 + [True] * 2
        assert server.faults.active == ()


@pytest.mark.anyio
async def test_a_fault_waits_for_what_it_is_to_follow_and_meets_its_very_answer() -> None:
    async with FakeServer(HELD) as server, connected(server) as client:
        await client.authorise(server)
        server.play(at("lose which=ProtoOAExecutionEvent:ORDER_FILLED after=ProtoOANewOrderReq count=2"))
        kinds = []
        for number in range(3):
            await client.send(market_order(server), f"order {number}")
            await client.ask(oa.ProtoOAVersionReq())
            server.pass_time(1)
            await client.ask(oa.ProtoOAVersionReq())
            kinds.append([answer.executionType for answer in client.unread])
            client.unread.clear()
        accepted, filled = oa.ProtoOAExecutionType.ORDER_ACCEPTED, oa.ProtoOAExecutionType.ORDER_FILLED
        assert kinds == [[accepted, filled], [accepted], [accepted, filled]]


@pytest.mark.anyio
async def test_a_step_may_come_some_time_after_what_it_follows() -> None:
    async with FakeServer(replace(HELD, steps=(at("drop_clients after=connected at_s=2"),))) as server:
        server.pass_time(10)
        async with connected(server) as client:
            await client.authorise_app(server)
            server.pass_time(1.9)
            assert await answered(client, "still there")
            server.pass_time(0.1)
            with pytest.raises(Gone):
                await client.receive()


@pytest.mark.anyio
async def test_a_performance_that_is_stopped_begins_nothing_more_and_ends_what_lasts() -> None:
    async with FakeServer(HELD) as server, connected(server) as client:
        await client.authorise_app(server)
        with server.play(at("silence"), at("drop_clients at_s=1"), at("drop_clients after=ProtoOAVersionReq")):
            assert [type(fault) for fault in server.faults.active] == [faults.Silence]
        assert server.faults.active == ()
        server.pass_time(5)
        assert await answered(client, "here")


@pytest.mark.anyio
async def test_none_of_the_steps_is_played_if_one_makes_no_sense() -> None:
    async with FakeServer(HELD) as server:
        for wrong in (
            "dance",
            "set_price symbol=NONE bid=1 ask=2",
            "set_price symbol=EURUSD bid=2 ask=1",
            "lose nth=0",
        ):
            with pytest.raises(StepError):
                server.play(at("silence"), at(wrong))
            assert server.faults.active == ()
        with pytest.raises(StepError, match="no account 7"):
            server.play(at("disconnect_account account_id=7"))


@pytest.mark.anyio
async def test_a_later_step_that_cannot_be_done_is_said_at_the_end() -> None:
    server = FakeServer(replace(HELD, steps=(at("release_price symbol=NONE at_s=1"),)))
    with pytest.raises(FakeServerFailed, match="no symbol is called NONE"):
        async with server:
            server.pass_time(1)


@pytest.mark.anyio
async def test_a_price_holds_for_its_time_and_walks_on() -> None:
    async with FakeServer(HELD) as server:
        server.play(at("set_price symbol=EURUSD bid=1.5 ask=1.50010 at_s=1 for_s=2"))
        seen = []
        for _ in range(5):
            quote = server.exchange.quote(1)
            assert quote is not None
            seen.append((quote.bid, quote.ask) == (150_000, 150_010))
            server.pass_time(1)
        assert seen == [False, True, True, False, False]


# Each name of the vocabulary does what it says. What the faults themselves do is tested where they are: here it is
# enough that it is that one.

WITH: dict[str, str] = {
    "delay": "delay_s=1",
    "jitter": "most_s=1 seed=3",
    "late": "delay_s=1 nth=2 which=ProtoOAVersionRes",
    "replace": "data=00000001ff nth=2",
    "maintenance": "code=CANT_ROUTE_REQUEST end_s=1800000000 carried=proxy_error",
    "blocked": "request=ProtoOAVersionReq retry_after_s=3 times=2",
    "connection_limit": "most=1",
    "wrong_tls": "wrong=expired",
    "deafness": "name=ProtoOAVersionReq",
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_every_fault_can_be_played(name: str) -> None:
    async with FakeServer(HELD) as server:
        with server.play(at(f"{name} {WITH.get(name, '')} client=1")):
            assert [type(fault) for fault in server.faults.active] == [FAULTS[name][0]]
        assert server.faults.active == ()


@pytest.mark.anyio
async def test_deeds_are_done_to_accounts_clients_and_tokens() -> None:
    async with FakeServer(HELD) as server, connected(server) as client:
        await client.authorise(server)
        account_id = server.account_id

        async def next_name(text: str) -> str:
            server.play(at(text))
            return (await client.receive()).name

        balance = server.exchange.accounts[account_id].balance
        assert await next_name("deposit amount=500 note=gift") == "ProtoOAExecutionEvent"
        assert server.exchange.accounts[account_id].balance == balance + 500
        assert await next_name(f"disconnect_account account_id={account_id}") == "ProtoOAAccountDisconnectEvent"
        await client.authorise_account(server)
        server.play(at("forget_account"))
        refused = await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=account_id))
        assert refused.errorCode == "INVALID_REQUEST"
        await client.authorise_account(server)
        assert await next_name("weekend") == "ProtoOAAccountDisconnectEvent"
        await client.authorise_account(server)
        before = server.access_token
        assert await next_name("invalidate_tokens") == "ProtoOAAccountDisconnectEvent"
        assert (await client.receive()).name == "ProtoOAAccountsTokenInvalidatedEvent"
        server.play(at("grant scope=view"))
        assert server.access_token != before
        assert not server.directory.grants[-1].scope.may_trade
        server.play(at("set_price symbol=1 bid=1.5 ask=1.6"), at("release_price symbol=1"))
        assert await next_name("disconnect_clients reason=enough") == "ProtoOAClientDisconnectEvent"
        server.pass_time(1)
        assert await client.gone() == []


@pytest.mark.anyio
async def test_a_weekend_that_refuses_tls_is_over_after_its_time() -> None:
    settings = replace(
        HELD, variants=AnswerVariants(weekend=Weekend.TLS_REFUSED), steps=(at("weekend at_s=1 for_s=2"),)
    )
    async with FakeServer(settings) as server:
        async with connected(server) as client:
            await client.authorise_app(server)
            server.pass_time(1)
            assert await client.gone() == []
        with pytest.raises((OSError, anyio.EndOfStream, anyio.BrokenResourceError)):
            async with connected(server):
                raise AssertionError("TLS was not refused")
        server.pass_time(2)
        async with connected(server) as client:
            await client.authorise_app(server)


# The same again


async def day(flavour: str) -> bytes:
    """What a client is sent in a day of steps, prices, orders and faults."""
    steps = (
        at("late which=ProtoOAExecutionEvent:ORDER_FILLED delay_s=2 after=ProtoOANewOrderReq"),
        at("set_price symbol=EURUSD bid=1.21 ask=1.2101 at_s=4 for_s=3"),
        at("jitter most_s=0.5 seed=5 at_s=6 for_s=3"),
        at("duplicate nth=3 which=ProtoOASpotEvent at_s=8"),
    )
    settings = replace(HELD, steps=steps, seed="a day", timing=replace(QUICK.timing, answer_s=0.045))
    received = []
    async with FakeServer(settings) as server, connected(server, flavour) as client:

        async def ask(message: Any, msg_id: str) -> None:
            await client.send(message, msg_id)
            await server.wait_for(lambda seen: seen.client_msg_id == msg_id)
            server.pass_time(0.6)
            received.append(await client.bytes_until(msg_id))

        await ask(oa.ProtoOAApplicationAuthReq(clientId=server.client_id, clientSecret=server.client_secret), "app")
        account = {"ctidTraderAccountId": server.account_id}
        await ask(oa.ProtoOAAccountAuthReq(accessToken=server.access_token, **account), "account")
        await ask(oa.ProtoOASubscribeSpotsReq(symbolId=[1, 2], subscribeToSpotTimestamp=True, **account), "spots")
        for number in range(6):
            order = market_order(server)
            order.relativeStopLoss = 500
            await ask(order, f"order {number}")
            await ask(oa.ProtoOAReconcileReq(returnProtectionOrders=True, **account), f"reconcile {number}")
        await ask(oa.ProtoOADealListReq(**account), "deals")
        await ask(oa.ProtoOAGetTrendbarsReq(period=1, symbolId=1, count=500, **account), "bars")
        server.pass_time(5)
        await ask(oa.ProtoOAVersionReq(), "the end")
    return b"".join(received)


@pytest.mark.anyio
@pytest.mark.parametrize("flavour", ["protobuf", "json"])
async def test_the_same_seed_and_script_send_the_same_bytes_over_the_wire(flavour: str) -> None:
    first, second = await day(flavour), await day(flavour)
    assert len(first) > 10_000
    different = next((at for at, pair in enumerate(itertools.zip_longest(first, second)) if pair[0] != pair[1]), None)
    assert different is None, (
        different,
        first[different - 60 : different + 60],
        second[different - 60 : different + 60],
    )
