"""The amendments that clients of a proxy have under way, so that none loosens what another is to tighten. Pure."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from ..wire.catalog import account_of
from .errors import Refused
from .guard import why_not_tighter
from .holdings import level_or_none
from .proxied_closes import ProxiedRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .holdings import Position

__all__ = ["ProxiedAmends"]


class ProxiedAmends:
    """Of positions' levels; of one environment, shared by all clients of its proxy.

    The books show what was answered. What was not may be in force at the server all the same, or be so in a moment:
    where it may only be reduced, the next one is held against each of them as well. One that is never answered counts
    until its client is gone.
    """

    def __init__(self) -> None:
        self._under_way: list[ProxiedRequest] = []

    def check(self, request: Any, position: Position) -> None:
        """Returns if an amendment loosens nothing, whichever of those under way are done before it.

        Args:
            request: a `ProtoOAAmendPositionSLTPReq`.
            position: that it is about, as its client was told.

        Raises:
            Refused: it might loosen.
        """
        for each in self._under_way:
            other = each.request
            if account_of(other) != account_of(request) or other.positionId != request.positionId:
                continue
            why_not = why_not_tighter(request, _amended(position, other))
            if why_not is not None:
                raise Refused(
                    f"{type(request).__name__} is refused: another amendment of position {request.positionId} is under "
                    f"way, and once that is done, {why_not}"
                )

    def add(self, amend: ProxiedRequest) -> None:
        """It is about to leave."""
        self._under_way.append(amend)

    @contextmanager
    def leaving(self, amend: ProxiedRequest) -> Iterator[None]:
        """Within it, it is about to leave; with an error it does not."""
        self.add(amend)
        try:
            yield
        except BaseException:
            self.withdraw(amend)
            raise

    def withdraw(self, amend: ProxiedRequest) -> None:
        """It did not leave."""
        self._under_way = [each for each in self._under_way if each is not amend]

    def answered(self, client: object, payload: Any, client_msg_id: str) -> None:
        """The server told a client this: the amendment that it answers, if it answers one, counts no more.

        Args:
            client: who was told.
            payload: an execution event or an error, which is in the books by now.
            client_msg_id: of its envelope. Without one it answers the oldest of that client that has none either.
        """
        for amend in self._under_way:
            if amend.client is client and amend.client_msg_id == client_msg_id and _may_answer(payload, amend.request):
                self.withdraw(amend)
                return

    def end(self, client: object) -> None:
        """A client is gone."""
        self._under_way = [each for each in self._under_way if each.client is not client]


def _amended(position: Position, request: Any) -> Position:
    """The position once that is done. Left out, a level is removed, and trailing stays (docs/protocol.md 10.3)."""
    return replace(
        position,
        stop_loss=level_or_none(request.stopLoss),
        take_profit=level_or_none(request.takeProfit),
        trailing_stop=request.trailingStopLoss if request.HasField("trailingStopLoss") else position.trailing_stop,
        guaranteed_stop_loss=request.guaranteedStopLoss or position.guaranteed_stop_loss,
        stop_trigger_method=request.stopLossTriggerMethod,
    )


def _may_answer(payload: Any, request: Any) -> bool:
    """Whether it is of the same account and position, for some clients give all of their requests the same id."""
    if account_of(payload) not in (None, 0, account_of(request)):
        return False
    if not isinstance(payload, oa.ProtoOAExecutionEvent):
        return getattr(payload, "positionId", 0) in (0, request.positionId)
    protects = payload.order.orderType == oa.ProtoOAOrderType.STOP_LOSS_TAKE_PROFIT
    return protects and (payload.order.positionId or payload.position.positionId) == request.positionId
