"""The official SDK, run by a Python that has it, as its users write it: callbacks, and a deferred for each request.

    .venv-sdk/bin/python bench/sdk.py SHAPE --port N --ca-file F --events N

`quotes`: its callback gets each envelope, and the payload is parsed (`Protobuf.extract`), both sides read; `one`,
`many`: version requests one at a time and 64 in flight, its throttle taken out (each message is written at once, as its
own heartbeats are); `shipped`: one at a time as it comes. It verifies no certificate, so the CA file is not used.
"""

import argparse
import json
import statistics
import time

from ctrader_open_api import Client, Protobuf, TcpProtocol
from ctrader_open_api.messages import OpenApiMessages_pb2 as oa
from twisted.internet import defer, reactor

SPOT = 2131

parser = argparse.ArgumentParser()
parser.add_argument("shape", choices=("quotes", "one", "many", "shipped"))
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--ca-file")
parser.add_argument("--events", type=int, required=True)
options = parser.parse_args()


class Unthrottled(TcpProtocol):
    def send(self, message, instant=True, clientMsgId=None, isCanceled=None):
        super().send(message, True, clientMsgId, isCanceled)


client = Client("127.0.0.1", options.port, TcpProtocol if options.shape == "shipped" else Unthrottled)
state = {"left": options.events, "total": 0, "started": 0.0}


def end(row):
    print(json.dumps({"events": options.events, **row}))
    reactor.stop()


def on_message(_, message):
    if message.payloadType == SPOT:
        spot = Protobuf.extract(message)
        state["total"] += spot.bid + spot.ask
        state["left"] -= 1
        if not state["left"]:
            end({"seconds": time.perf_counter() - state["started"], "sum": state["total"]})


@defer.inlineCallbacks
def one():
    took = []
    for _ in range(options.events):
        started = time.perf_counter()
        yield client.send(oa.ProtoOAVersionReq())
        took.append(time.perf_counter() - started)
    end({"seconds": sum(took), "median_us": statistics.median(took) * 1e6})


@defer.inlineCallbacks
def many():
    left = iter(range(options.events))

    @defer.inlineCallbacks
    def worker():
        for _ in left:
            yield client.send(oa.ProtoOAVersionReq())

    started = time.perf_counter()
    yield defer.DeferredList([worker() for _ in range(64)])
    end({"seconds": time.perf_counter() - started})


def connected(_):
    if options.shape == "quotes":
        state["started"] = time.perf_counter()
        client.send(oa.ProtoOASubscribeSpotsReq(ctidTraderAccountId=1, symbolId=[1]))
    else:
        (many if options.shape == "many" else one)()


client.setConnectedCallback(connected)
client.setMessageReceivedCallback(on_message)
client.startService()
reactor.run()
