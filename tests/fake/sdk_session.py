"""A session of the official SDK, run by its own Python: reads where to go as JSON from stdin, prints what it met.

Nothing here is about the fake server: only host and port differ from what a user of the SDK writes.
"""

import json
import sys

from ctrader_open_api import Client, Protobuf, TcpProtocol
from ctrader_open_api.messages import OpenApiMessages_pb2 as oa
from ctrader_open_api.messages import OpenApiModelMessages_pb2 as model
from twisted.internet import defer, reactor

given = json.load(sys.stdin)
account_id = given["account_id"]
met = {"spots": 0, "executions": [], "errors": []}
filled = []  # a deferred for each FILLED that is awaited, and its event


def on_message(client, message):
    payload = Protobuf.extract(message) if message.payloadType != 51 else None
    if message.payloadType == oa.ProtoOASpotEvent().payloadType:
        met["spots"] += 1
    elif message.payloadType == oa.ProtoOAExecutionEvent().payloadType:
        met["executions"].append(model.ProtoOAExecutionType.Name(payload.executionType))
        if payload.executionType == model.ORDER_FILLED:
            filled.pop(0).callback(payload)
    elif message.payloadType == oa.ProtoOAErrorRes().payloadType:
        met["errors"].append(payload.errorCode)


@defer.inlineCallbacks
def session(client):
    yield client.send(oa.ProtoOAApplicationAuthReq(clientId=given["client_id"], clientSecret=given["client_secret"]))
    answer = yield client.send(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=given["access_token"]))
    met["accounts"] = [row.ctidTraderAccountId for row in Protobuf.extract(answer).ctidTraderAccount]
    yield client.send(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=account_id, accessToken=given["access_token"]))
    answer = yield client.send(oa.ProtoOASymbolsListReq(ctidTraderAccountId=account_id))
    symbols = {row.symbolName: row.symbolId for row in Protobuf.extract(answer).symbol}
    met["symbols"] = sorted(symbols)
    eurusd = symbols["EURUSD"]
    yield client.send(oa.ProtoOASubscribeSpotsReq(ctidTraderAccountId=account_id, symbolId=[eurusd]))

    filled.append(defer.Deferred())
    fill = filled[0]
    order = oa.ProtoOANewOrderReq(ctidTraderAccountId=account_id, symbolId=eurusd, volume=100000)
    order.orderType, order.tradeSide, order.label = model.MARKET, model.BUY, "from the SDK"
    yield client.send(order)
    event = yield fill
    met["filled"] = [event.deal.filledVolume, event.position.tradeData.label, event.deal.executionPrice > 0]

    filled.append(defer.Deferred())
    fill = filled[0]
    yield client.send(
        oa.ProtoOAClosePositionReq(ctidTraderAccountId=account_id, positionId=event.position.positionId, volume=100000)
    )
    event = yield fill
    met["closed"] = event.deal.closePositionDetail.closedVolume

    answer = yield client.send(
        oa.ProtoOADealListReq(
            ctidTraderAccountId=account_id, fromTimestamp=event.deal.createTimestamp - 60000, toTimestamp=2147483646000
        )
    )
    met["deals"] = len(Protobuf.extract(answer).deal)

    answer = yield client.send(
        oa.ProtoOAGetTrendbarsReq(
            ctidTraderAccountId=account_id,
            symbolId=eurusd,
            period=model.M1,
            fromTimestamp=event.deal.createTimestamp - 3600000,
            toTimestamp=event.deal.createTimestamp,
        )
    )
    met["bars"] = len(Protobuf.extract(answer).trendbar)

    answers = yield defer.DeferredList([client.send(oa.ProtoOAVersionReq()) for _ in range(60)])
    types = [answer.payloadType for _, answer in answers]
    met["refused"] = types.count(oa.ProtoOAErrorRes().payloadType)


def done(result):
    if result is not None:
        met["failure"] = result.getTraceback()
    print(json.dumps(met))
    reactor.stop()


client = Client(given["host"], given["port"], TcpProtocol, numberOfMessagesToSendPerSecond=100)
client.setConnectedCallback(lambda connected: session(connected).addBoth(done))
client.setMessageReceivedCallback(on_message)
client.startService()
reactor.run()
