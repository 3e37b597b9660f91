"""The control port: whoever is on this machine changes a running server, in any language, a line of JSON at a time.

    {"do": "drop_after", "nth": 3, "which": "ProtoOAExecutionEvent"}     ->  {"ok": true, "id": 1}
    {"do": "set_price", "symbol": "EURUSD", "bid": 1.19, "ask": 1.1901}  ->  {"ok": true, "id": 2}
    {"do": "remove", "id": 1}                                            ->  {"ok": true}
    {"do": "wait_for", "name": "ProtoHeartbeatEvent", "count": 2}        ->  {"ok": true, "seen": [...]}

Lines of one connection are taken one after the other. Each step that `vocabulary` knows is taken, with its `at_s`,
`after` and `for_s`; what was begun stays when the connection ends. A refusal is `{"ok": false, "error": "..."}`. A line
that is no JSON object ends the connection: a page in a browser that is made to post to this port must not get as far as
its second line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import orjson
from anyio.streams.buffered import BufferedByteReceiveStream

from .steps import Step, StepError
from .vocabulary import DEEDS, FAULTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from anyio.abc import SocketStream

    from .observations import Seen
    from .performance import Performance
    from .server import FakeServer

__all__ = ["ControlPort"]

_LONGEST_LINE = 65_536  # bytes
_LONGEST_WAIT_S = 600.0
_MOST_KEPT = 10_000  # what was begun before the newest so many cannot be removed any more


class ControlPort:
    """Takes lines from any number of connections.

    Args:
        server: that it changes.
    """

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._begun: dict[int, Performance] = {}
        self._count = 0
        self._own: Mapping[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "remove": self._remove,
            "status": self._status,
            "quote": self._quote,
            "pass_time": self._pass_time,
            "wait_for": self._wait_for,
        }

    async def serve(self, stream: SocketStream) -> None:
        """One connection; raises nothing that the peer has caused."""
        lines = BufferedByteReceiveStream(stream)
        async with stream:
            try:
                while True:
                    line = await lines.receive_until(b"\n", _LONGEST_LINE)
                    if not line.strip():
                        continue
                    table = _table(line)
                    answer = {"ok": False, "error": "no JSON object"} if table is None else await self._take(table)
                    await stream.send(orjson.dumps(answer) + b"\n")
                    if table is None:
                        return
            except (anyio.EndOfStream, anyio.IncompleteRead, anyio.DelimiterNotFound):
                return
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                return  # it is gone: there is nobody to tell

    async def _take(self, table: dict[str, Any]) -> dict[str, Any]:
        try:
            own = self._own.get(str(table.get("do")))
            if own is not None:
                return {"ok": True, **await own(table)}
            performance = self._server.play(Step.from_table(table))
        except StepError as error:
            return {"ok": False, "error": str(error)}
        self._count += 1
        self._begun[self._count] = performance
        self._begun.pop(self._count - _MOST_KEPT, None)
        return {"ok": True, "id": self._count}

    # What only this port knows

    async def _remove(self, table: dict[str, Any]) -> dict[str, Any]:
        performance = self._begun.pop(table["id"], None) if isinstance(table.get("id"), int) else None
        if performance is None:
            raise StepError(f"there is nothing with id {table.get('id')!r}")
        performance.stop()
        return {}

    async def _status(self, table: dict[str, Any]) -> dict[str, Any]:
        server = self._server
        return {
            "now_ms": server.now_ms,
            "seen": server.seen.total,
            "clients": [
                {
                    "number": client.number,
                    "codec": client.codec.name,
                    "transport": client.transport.value,
                    "authorised": client.application is not None,
                    "accounts": sorted(client.sessions),
                }
                for client in server.clients.values()
            ],
            "faults": [type(fault).__name__ for fault in server.faults.active],
            "violations": list(server.violations),
            "failures": [repr(failure) for failure in server.failures],
            "steps": sorted((*FAULTS, *DEEDS, *self._own)),
        }

    async def _quote(self, table: dict[str, Any]) -> dict[str, Any]:
        for symbol in self._server.settings.exchange.symbols:
            if str(table.get("symbol")) in (symbol.name, str(symbol.symbol_id)):
                quote = self._server.exchange.quote(symbol.symbol_id)
                if quote is None:
                    raise StepError(f"{symbol.name} has no quotes")
                return {"symbol_id": symbol.symbol_id, "bid": quote.bid / 100_000, "ask": quote.ask / 100_000}
        raise StepError(f"no symbol is called {table.get('symbol')}")

    async def _pass_time(self, table: dict[str, Any]) -> dict[str, Any]:
        try:
            self._server.pass_time(_number(table, "seconds", 0.0))
        except (RuntimeError, ValueError) as error:
            raise StepError(f"pass_time: {error}") from None
        return {"now_ms": self._server.now_ms}

    async def _wait_for(self, table: dict[str, Any]) -> dict[str, Any]:
        name, client = table.get("name"), table.get("client")
        if not isinstance(name, str):
            raise StepError("wait_for needs the name of an observation")
        try:
            seen = await self._server.wait_for(
                name,
                count=max(1, int(_number(table, "count", 1))),
                client=client if isinstance(client, int) else None,
                since=int(_number(table, "since", 0)),
                timeout_s=min(_number(table, "timeout_s", 10.0), _LONGEST_WAIT_S),
            )
        except TimeoutError as error:
            raise StepError(str(error)) from None
        return {"seen": [_told(each) for each in seen], "total": self._server.seen.total}


def _table(line: bytes) -> dict[str, Any] | None:
    try:
        table = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return table if isinstance(table, dict) else None


def _number(table: dict[str, Any], name: str, default: float) -> float:
    value = table.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise StepError(f"{name} is {value!r}; a number is due")
    return value


def _told(seen: Seen) -> dict[str, Any]:
    """Without the message itself, which may hold secrets."""
    return {
        "client": seen.client,
        "at_ms": seen.at_ms,
        "name": seen.name,
        "client_msg_id": seen.client_msg_id,
        "text": seen.text,
    }
