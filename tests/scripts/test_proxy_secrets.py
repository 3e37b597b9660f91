"""What a client of the proxy, or the server, has said as a secret stands in no line of the audit, whoever quotes it."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from anyctrader.session import Environment
from anyctrader.session import halt as halts
from anyctrader.wire import encode_frame
from anyctrader.wire import messages as oa

from .test_proxy import Client, Place, a_client, a_proxy, an_order

pytestmark = pytest.mark.anyio


async def said_and_heard(client: Client, place: Place) -> list[str]:
    """Secrets that nobody named beforehand: said by the client as what they are, and by the server."""
    account_id, own = place.server.account_id, [f"a-secret-of-the-client-alone-{n}" for n in range(4)]
    await client.ask(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=account_id, accessToken=own[0]), "refused")
    await client.ask(oa.ProtoOARefreshTokenReq(refreshToken=own[1]), "refused")
    await client.ask(oa.ProtoOAApplicationAuthReq(clientId="nobody", clientSecret=own[2]), "refused")
    if place.codec == "json":
        body = b'{"payloadType":2104,"payload":{"authToken":"%s"},"clientMsgId":"m"}' % own[3].encode()
        await client.stream.send(encode_frame(body))
        await client.answer("m")
    renewed = await client.ask(oa.ProtoOARefreshTokenReq(refreshToken=place.server.refresh_token), "renewed")
    return [*own[: 4 if place.codec == "json" else 3], renewed.accessToken, renewed.refreshToken]


@pytest.mark.parametrize("codec", ["protobuf", "json"])
async def test_no_line_of_the_audit_quotes_it(tmp_path: Path, codec: str) -> None:
    async with a_proxy(tmp_path, codec=codec) as place, a_client(place) as client, a_client(place) as other:
        secrets = await said_and_heard(client, place)
        await client.log_in(place.server)
        await other.log_in(place.server)
        cancel = oa.ProtoOACancelOrderReq(ctidTraderAccountId=place.server.account_id, orderId=99_999_999)
        quoting = [an_order(place.server, label=f"label {secret}", comment=secret) for secret in secrets]
        for secret, order in zip(secrets, quoting, strict=True):
            event = await client.ask(order, f"id of {secret}")
            assert event.order.tradeData.label == f"label {secret}", "what passes is not changed"
            assert isinstance(await other.ask(order, f"{secret} elsewhere"), oa.ProtoOAExecutionEvent)
            await client.ask(cancel, secret)
        halts.halt(tmp_path, Environment.DEMO, why="enough", who="a test", at_ms=1)
        for order in quoting:
            assert "enough" in (await client.ask(order, "refused by the guard")).description
    data = (tmp_path / "order_audit.jsonl").read_bytes()
    assert [secret for secret in secrets if secret.encode() in data] == []
    lines = [orjson.loads(line) for line in data.splitlines()]
    orders = [line for line in lines if line.get("request") == "ProtoOANewOrderReq" and line.get("comment")]
    assert {(line["comment"], line["label"]) for line in orders} == {("***", "label ***")}
    facts = ["intent", "sent"] * 2 * len(secrets) + ["refused"] * len(secrets)
    assert [line["fact"] for line in orders] == facts
    ids = {line["request_id"] for line in lines if line["fact"] == "sent"}
    assert ids == {"id of ***", "*** elsewhere", "***"}


async def test_what_is_too_deep_to_be_looked_through_counts_as_unreadable(tmp_path: Path) -> None:
    async with a_proxy(tmp_path, codec="json") as place, a_client(place) as client:
        await client.log_in(place.server)
        deep = b'{"payloadType":2104,"x":%s%s,"clientMsgId":"deep"}' % (b"[" * 900, b"]" * 900)
        await client.stream.send(encode_frame(deep))
        assert (await client.answer("deep")).version
        assert (await client.ask(oa.ProtoOAVersionReq(), "after")).version
    assert [line["fact"] for line in place.audit() if line.get("request") == "undecoded"] == ["intent", "sent"]
