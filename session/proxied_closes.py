"""The closes that clients of a proxy have under way, so that together they ask for no more than is open. Pure."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from ..wire.catalog import account_of
from .closing import Closing
from .orders import OrderTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .positions import PositionBook

__all__ = ["ProxiedCloses", "ProxiedRequest"]


@dataclass(frozen=True, slots=True, eq=False)
class ProxiedRequest:
    """A request of a client that was not answered yet.

    Attributes:
        client: whose.
        client_msg_id: of its request; empty where it has none.
        request: what it asks for.
    """

    client: object
    client_msg_id: str
    request: Any


class ProxiedCloses:
    """Of one environment, shared by all clients of its proxy: they may close the same positions.

    A close counts until it is answered; from its acceptance on its order is in the books. One that is never answered
    counts until its client is gone, who knows as little as we do what became of it.
    """

    def __init__(self) -> None:
        self._under_way: list[ProxiedRequest] = []

    def check(self, request: Any, book: PositionBook) -> None:
        """Returns if a close asks for no more than is left.

        Args:
            request: a `ProtoOAClosePositionReq`.
            book: of its account, as its client was told.

        Raises:
            InvalidOrder: it asks for more.
        """
        raw = [each.request for each in self._under_way if account_of(each.request) == account_of(request)]
        Closing(OrderTable(), book, raw=raw).check(request)

    def add(self, close: ProxiedRequest) -> None:
        """It is about to leave."""
        self._under_way.append(close)

    @contextmanager
    def leaving(self, close: ProxiedRequest) -> Iterator[None]:
        """Within it, it is about to leave; with an error it does not."""
        self.add(close)
        try:
            yield
        except BaseException:
            self.withdraw(close)
            raise

    def withdraw(self, close: ProxiedRequest) -> None:
        """It did not leave."""
        self._under_way = [each for each in self._under_way if each is not close]

    def answered(self, client: object, payload: Any, client_msg_id: str) -> None:
        """The server told a client this: the close that it answers, if it answers one, counts no more.

        Args:
            client: who was told.
            payload: an execution event or an error, which is in the books by now.
            client_msg_id: of its envelope. Without one it answers the oldest close of that client that has none either.
        """
        for close in self._under_way:
            if close.client is client and close.client_msg_id == client_msg_id and _may_answer(payload, close):
                self.withdraw(close)
                return

    def end(self, client: object) -> None:
        """A client is gone."""
        self._under_way = [each for each in self._under_way if each.client is not client]


def _may_answer(payload: Any, close: ProxiedRequest) -> bool:
    """Whether it is of the same account and position, for some clients give all of their requests the same id."""
    request = close.request
    if account_of(payload) not in (None, 0, account_of(request)):
        return False
    if not isinstance(payload, oa.ProtoOAExecutionEvent):
        return getattr(payload, "positionId", 0) in (0, request.positionId)
    order = payload.order
    if (order.positionId or payload.position.positionId) != request.positionId:
        return False
    return bool(close.client_msg_id) or (order.closingOrder and order.tradeData.volume == request.volume)
