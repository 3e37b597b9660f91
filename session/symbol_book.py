"""The symbols of one account: asked of the server once, many at a time, and remembered until it changes them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import anyio

from ..wire import messages as oa
from . import fields
from .errors import NotSent, OutcomeUnknown, Refused, ServerError
from .symbols import Symbol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

__all__ = ["SymbolBook"]

_AT_ONCE = 100  # ids of one SymbolByIdReq that a server is known to take (docs/protocol.md section 1)


class SymbolBook:
    """Reads and keeps them.

    Args:
        ask: a request of the account, and the payload of its answer.
        owner: whose they are, for people.
        mask: covers secrets in a name that is none: it may stand in the wrong place.
    """

    def __init__(
        self, ask: Callable[[Any], Awaitable[Any]], *, owner: str, mask: Callable[[str], str] = lambda text: text
    ) -> None:
        self._ask = ask
        self._mask = mask
        self._owner = owner
        self._light: dict[str, oa.ProtoOALightSymbol] | None = None
        self._known: dict[str, Symbol] = {}
        self._names: dict[int, str] = {}  # for records: a symbol that changes keeps its name
        self._odd: dict[str, str] = {}  # why what the server says of a symbol cannot be
        self._loading = anyio.Lock()

    async def names(self) -> list[str]:
        """The names of all that are enabled, as the broker writes them."""
        return [name for name, light in (await self._lights()).items() if light.enabled]

    async def named(self, names: Iterable[str]) -> list[Symbol]:
        """Symbols by their names, in that order.

        Raises:
            InvalidOrder: there is no such symbol; the text gives the nearest names.
            Refused: the server lists one, and does not say what it is, or says what cannot be. What it says of the
                others is known from here on.
        """
        wanted = list(names)
        async with self._loading:
            if any(name not in self._known for name in wanted):
                await self._load(name for name in wanted if name not in self._known)
            if unknown := [name for name in wanted if name not in self._known]:
                why = "; ".join(self._odd.get(name, f"it does not say what {name} is") for name in unknown)
                raise Refused(f"{self._owner}: the server's answer leaves {', '.join(unknown)} unknown: {why}")
            return [self._known[name] for name in wanted]

    async def by_id(self, symbol_id: int) -> Symbol:
        """A symbol by its id at this broker.

        Raises:
            InvalidOrder: there is no such symbol.
            Refused: see `named`.
        """
        lights = await self._lights()
        for light in lights.values():
            if light.symbolId == symbol_id:
                return (await self.named([light.symbolName]))[0]
        ids = sorted(light.symbolId for light in lights.values())
        has = f"the {len(ids)} that it has are within {ids[0]} to {ids[-1]}" if ids else "it has none at all"
        raise fields.invalid("symbolId", symbol_id, f"{self._owner} has no symbol of that id; {has}")

    async def know(self, symbol_ids: Iterable[int]) -> str | None:
        """Reads those of these ids that are not known yet, so that nobody has to wait for them later.

        The names of all are read as well: what others trade shall not be on record under a number. What the
        server does not have, or does not give now, is asked for again by whoever needs it. That it does not answer must
        not keep the account away: a close needs no figures.

        Returns:
            why some of them are not known now, or None.
        """
        missing = set(symbol_ids) - {symbol.id for symbol in self._known.values()}
        try:
            await self.named([name for name, light in (await self._lights()).items() if light.symbolId in missing])
        except (ServerError, Refused, OutcomeUnknown, NotSent) as error:
            return str(error)
        return None

    def known(self, symbol: int | str) -> Symbol | None:
        """The symbol with that id or name, or None where it was not asked for yet. Asks nothing."""
        return next((known for known in self._known.values() if symbol in (known.id, known.name)), None)

    def name_of(self, symbol_id: int) -> str:
        """The name for a symbol id, or the number itself where it is not known yet."""
        return self._names.get(symbol_id, str(symbol_id))

    def changed(self, symbol_ids: Iterable[int]) -> None:
        """The server has changed them (`ProtoOASymbolChangedEvent`): they are read again when they are needed."""
        changed = set(symbol_ids)
        self._known = {name: symbol for name, symbol in self._known.items() if symbol.id not in changed}
        self._light = None

    async def _lights(self) -> dict[str, oa.ProtoOALightSymbol]:
        if self._light is None:
            answer = await self._ask(oa.ProtoOASymbolsListReq())
            self._light = {light.symbolName: light for light in answer.symbol}
            self._names |= {light.symbolId: light.symbolName for light in answer.symbol}
        return self._light

    async def _load(self, names: Iterable[str]) -> None:
        lights = await self._lights()
        missing: list[oa.ProtoOALightSymbol] = []
        for name in names:
            if name not in lights:
                near = difflib.get_close_matches(name, lights, n=3, cutoff=0.5)
                hint = f"; nearest: {', '.join(near)}" if near else ""
                raise fields.invalid("symbol", self._mask(name), f"{self._owner} has no symbol of that name{hint}")
            missing.append(lights[name])
        for start in range(0, len(missing), _AT_ONCE):
            some = {light.symbolId: light for light in missing[start : start + _AT_ONCE]}
            for full in (await self._ask(oa.ProtoOASymbolByIdReq(symbolId=list(some)))).symbol:
                light = some.get(full.symbolId)
                if light is None:
                    continue  # nobody asked for this one
                self._odd.pop(light.symbolName, None)
                try:
                    self._known[light.symbolName] = Symbol.from_wire(light, full)
                except ValueError as error:
                    self._odd[light.symbolName] = str(error)
