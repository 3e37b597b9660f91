"""Two clients of the official SDK in one process, as its users write them: 20 orders are sent on the one for demo.

Run by `isolation.py --sdk` with a Python that has the SDK; reads from stdin where demo and live are.
"""

import json
import sys

from ctrader_open_api import Client, TcpProtocol
from ctrader_open_api.messages import OpenApiMessages_pb2 as oa
from ctrader_open_api.messages import OpenApiModelMessages_pb2 as model
from twisted.internet import reactor, task

ORDERS = 20
clients = []
ready = []


def asked(client, *requests):
    """Sends one after the other, each when the one before was answered or given up."""
    if not requests:
        ready.append(client)
        if len(ready) == len(clients):
            trade()
        return
    client.send(requests[0]).addBoth(lambda _: asked(client, *requests[1:]))


def trade():
    demo, account_id = clients[0], places[0]["account_id"]
    for number in range(ORDERS):
        order = oa.ProtoOANewOrderReq(ctidTraderAccountId=account_id, symbolId=1, volume=100000)
        order.orderType, order.tradeSide, order.label = model.MARKET, model.BUY, f"demo {number}"
        demo.send(order, responseTimeoutInSeconds=60).addErrback(lambda _: None)
    task.deferLater(reactor, 8, reactor.stop)  # 20 of them leave within four whole seconds


def connected(client):
    place = places[clients.index(client)]
    asked(
        client,
        oa.ProtoOAApplicationAuthReq(clientId=place["client_id"], clientSecret=place["client_secret"]),
        oa.ProtoOAAccountAuthReq(ctidTraderAccountId=place["account_id"], accessToken=place["access_token"]),
    )


places = json.load(sys.stdin)
clients = [Client(place["host"], place["port"], TcpProtocol) for place in places]
for each in clients:
    each.setConnectedCallback(connected)
    each.setMessageReceivedCallback(lambda client, message: None)
    each.startService()
reactor.run()
