"""A client order id names one order, whichever client of a proxy gives it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anyctrader.session import Environment, InvalidOrder, Limits, Mode, open_audit
from anyctrader.session.gate import Gate
from anyctrader.session.proxied import ProxiedClient
from anyctrader.session.proxied_amends import ProxiedAmends
from anyctrader.session.proxied_closes import ProxiedCloses, ProxiedRequest
from anyctrader.session.proxied_orders import ProxiedOrders
from anyctrader.wire import Message, ProtobufCodec
from anyctrader.wire import messages as oa

from .rig import audit_of

DEMO = Environment.DEMO
ONE, OTHER = object(), object()


def new(client_order_id: str = "abc", account: int = 1) -> Any:
    given = {"symbolId": 1, "orderType": 1, "tradeSide": 1, "volume": 100_000}
    return oa.ProtoOANewOrderReq(ctidTraderAccountId=account, clientOrderId=client_order_id, **given)


def told(client_order_id: str = "abc", account: int = 1) -> Any:
    event = oa.ProtoOAExecutionEvent(ctidTraderAccountId=account, executionType=oa.ProtoOAExecutionType.ORDER_ACCEPTED)
    event.order.orderId, event.order.clientOrderId = 9, client_order_id
    return event


def protection(code: str = "") -> Any:
    event = oa.ProtoOAExecutionEvent(ctidTraderAccountId=1, executionType=oa.ProtoOAExecutionType.ORDER_REJECTED)
    event.order.orderId, event.order.clientOrderId, event.errorCode = 9, "the server's", code
    event.order.orderType = oa.ProtoOAOrderType.STOP_LOSS_TAKE_PROFIT
    return event


def refusal(code: str = "MARKET_CLOSED", account: int = 1) -> Any:
    return oa.ProtoOAErrorRes(ctidTraderAccountId=account, errorCode=code)


def ordered(client_msg_id: str = "1") -> ProxiedOrders:
    """One has left."""
    orders = ProxiedOrders()
    with orders.leaving(ProxiedRequest(ONE, client_msg_id, new())):
        pass
    return orders


def test_an_id_is_taken_from_the_moment_in_which_its_order_may_leave() -> None:
    orders = ProxiedOrders()
    with orders.leaving(ProxiedRequest(ONE, "1", new())), pytest.raises(InvalidOrder, match="was not answered: look"):
        orders.check(new())
    orders.check(new(account=2))
    orders.check(new("other"))
    for _ in range(2):
        with orders.leaving(ProxiedRequest(ONE, "2", new(""))):
            orders.check(new(""))


def test_one_that_does_not_leave_frees_its_id() -> None:
    orders = ProxiedOrders()
    with pytest.raises(KeyError), orders.leaving(ProxiedRequest(ONE, "1", new())):
        raise KeyError
    orders.check(new())


@pytest.mark.parametrize(
    ("client", "client_msg_id", "payload", "frees"),
    [
        (ONE, "1", refusal(), True),
        (ONE, "1", refusal("TIMEOUT_ERROR"), False),
        (ONE, "2", refusal(), False),
        (ONE, "", refusal(), False),
        (OTHER, "1", refusal(), False),
        (ONE, "1", refusal(account=2), False),
        (ONE, "1", oa.ProtoOAOrderErrorEvent(ctidTraderAccountId=1, errorCode="X", positionId=5), False),
        (ONE, "1", told(""), False),
        (ONE, "1", protection(), False),
        (ONE, "1", protection("TRADING_BAD_STOPS"), False),
    ],
)
def test_only_a_refusal_frees_an_id(client: object, client_msg_id: str, payload: Any, frees: bool) -> None:
    orders = ordered()
    orders.answered(client, payload, client_msg_id)
    if frees:
        return orders.check(new())
    with pytest.raises(InvalidOrder, match="clientOrderId: 'abc' is refused: a request with it was not answered"):
        orders.check(new())


def test_what_the_server_tells_any_client_of_an_order_names_it() -> None:
    orders = ordered()
    orders.end(ONE)
    orders.answered(OTHER, told(), "")
    orders.answered(OTHER, refusal(), "1")
    with pytest.raises(InvalidOrder, match="order 9 has it; for another order give another id, or none"):
        orders.check(new())
    row = oa.ProtoOAOrder(orderId=8, clientOrderId="listed")
    orders.answered(OTHER, oa.ProtoOAReconcileRes(ctidTraderAccountId=1, order=[row]), "1")
    with pytest.raises(InvalidOrder, match="order 8 has it"):
        orders.check(new("listed"))


@pytest.mark.anyio
async def test_a_second_order_with_one_id_is_answered_by_the_proxy_and_on_record(tmp_path: Path) -> None:
    codec = ProtobufCodec()
    said: list[tuple[Any, Any]] = [
        (oa.ProtoOAApplicationAuthReq(clientId="c", clientSecret="s"), oa.ProtoOAApplicationAuthRes()),
        (
            oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1, accessToken="t"),
            oa.ProtoOAAccountAuthRes(ctidTraderAccountId=1),
        ),
    ]
    async with open_audit(tmp_path) as audit:
        sides: dict[str, Any] = {"orders": ProxiedOrders(), "closes": ProxiedCloses(), "amends": ProxiedAmends()}
        clients = [
            ProxiedClient(
                Gate(DEMO, mode=Mode.ON, audit=audit), codec=codec, limits=Limits.standard(DEMO), within_s=20, **sides
            )
            for _ in range(2)
        ]
        for client in clients:
            for asked, answer in said:
                assert await client.judge(codec.encode(Message(asked, "1"))) is None
                client.heard(codec.encode(Message(answer, "1")))
        assert await clients[0].judge(codec.encode(Message(new(), "2"))) is None
        for client in clients:
            taken = await client.judge(codec.encode(Message(new(), "3")))
            assert taken is not None
            reply = codec.decode(taken.reply)
            assert (reply.client_msg_id, reply.payload.errorCode) == ("3", "TRADING_NOT_ALLOWED")
            assert "clientOrderId: 'abc' is refused: a request with it was not answered" in reply.payload.description
        clients[0].heard(codec.encode(Message(refusal(), "2")))
        assert await clients[1].judge(codec.encode(Message(new(), "4"))) is None
    facts = [line["fact"] for line in audit_of(tmp_path)]
    assert facts == ["intent", "sent", "refused", "refused", "server_error", "intent", "sent"]
