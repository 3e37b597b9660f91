"""Answers about an account: its state, its deals, orders and cash flow (docs/protocol.md sections 12 and 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import messages as oa
from . import money
from .book import PENDING_KINDS
from .denials import Denial, invalid
from .periods import DAY_MS
from .pushes import Cause
from .settlement import margin_of, rates_of
from .stopout import margin_call
from .variants import ZeroFrom

if TYPE_CHECKING:
    from .accounts import Account
    from .book import Order
    from .floor import Floor

__all__ = ["CEILING_MS", "WEEK_MS", "Statements", "incorrect_boundaries"]

WEEK_MS = 7 * DAY_MS
CEILING_MS = 2_147_483_646_000
"""The latest moment that a request may name (docs/protocol.md section 12)."""


def incorrect_boundaries(longest_ms: int) -> Denial:
    """The refusal of a window that is too long, empty or turned around."""
    return invalid(
        "Incorrect period boundaries or requested period is longer than allowed "
        f"{longest_ms} ({longest_ms // DAY_MS}d).",
        code="INCORRECT_BOUNDARIES",
    )


class Statements:
    """Reads accounts.

    Args:
        floor: where.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    # -- now -------------------------------------------------------------------------------------------------------

    def trader(self, account: Account, req: oa.ProtoOATraderReq) -> oa.ProtoOATraderRes:
        """Balance and properties."""
        return oa.ProtoOATraderRes(ctidTraderAccountId=account.account_id, trader=account.message(self._floor.settings))

    def reconcile(self, account: Account, req: oa.ProtoOAReconcileReq) -> oa.ProtoOAReconcileRes:
        """Open positions and pending orders; protective orders only if asked for."""
        kinds = set(PENDING_KINDS)
        if req.returnProtectionOrders:
            kinds.add(oa.ProtoOAOrderType.STOP_LOSS_TAKE_PROFIT)
        return oa.ProtoOAReconcileRes(
            ctidTraderAccountId=account.account_id,
            position=[position.message() for position in account.positions.values()],
            order=[order.message() for order in account.orders.values() if order.kind in kinds],
        )

    def unrealised(
        self, account: Account, req: oa.ProtoOAGetPositionUnrealizedPnLReq
    ) -> oa.ProtoOAGetPositionUnrealizedPnLRes:
        """Profit of each open position at present prices; net leaves out the closing commission."""
        res = oa.ProtoOAGetPositionUnrealizedPnLRes(
            ctidTraderAccountId=account.account_id, moneyDigits=account.settings.money_digits
        )
        for position in account.positions.values():
            price = self._floor.market.prices[position.symbol.symbol_id]
            gross = money.gross_profit(
                position.volume,
                position.entry,
                price.bid if position.is_buy else price.ask,
                buy=position.is_buy,
                rate=self._floor.to_deposit(account, position.symbol.quote),
                unit=account.unit,
            )
            res.positionUnrealizedPnL.append(
                oa.ProtoOAPositionUnrealizedPnL(
                    positionId=position.position_id,
                    grossUnrealizedPnL=gross,
                    netUnrealizedPnL=gross + position.swap + position.commission,
                )
            )
        return res

    def expected_margin(self, account: Account, req: oa.ProtoOAExpectedMarginReq) -> oa.ProtoOAExpectedMarginRes:
        """What opening each volume would take, on top of what is held.

        Raises:
            Denial: SYMBOL_NOT_FOUND, or NO_QUOTES.
        """
        symbol = self._floor.symbol(req.symbolId)
        if not self._floor.is_priced(account, symbol):
            raise invalid("No quotes for symbol", code="NO_QUOTES")
        buy = rates_of(self._floor, account, symbol, buy=True)
        sell = rates_of(self._floor, account, symbol, buy=False)
        return oa.ProtoOAExpectedMarginRes(
            ctidTraderAccountId=account.account_id,
            moneyDigits=account.settings.money_digits,
            margin=[
                oa.ProtoOAExpectedMargin(
                    volume=volume,
                    buyMargin=margin_of(self._floor, account, symbol, volume, buy=True, rates=buy),
                    sellMargin=margin_of(self._floor, account, symbol, volume, buy=False, rates=sell),
                )
                for volume in req.volume
            ],
        )

    def margin_calls(self, account: Account, req: oa.ProtoOAMarginCallListReq) -> oa.ProtoOAMarginCallListRes:
        """The three thresholds."""
        return oa.ProtoOAMarginCallListRes(marginCall=[margin_call(account, kind) for kind in account.thresholds])

    def set_margin_call(self, account: Account, req: oa.ProtoOAMarginCallUpdateReq, origin: object) -> None:
        """Move a threshold: the answer, then the event for all.

        Raises:
            Denial: there is no such threshold, or it is not a level.
        """
        wanted = req.marginCall
        if wanted.marginCallType not in account.thresholds:
            raise invalid(f"Margin call type {wanted.marginCallType} is unknown")
        if not 0 < wanted.marginLevelThreshold < 1_000_000:
            raise invalid("Margin level threshold should be positive")
        account.thresholds[wanted.marginCallType] = wanted.marginLevelThreshold
        account.thresholds_updated_ms[wanted.marginCallType] = self._floor.now_ms
        account.called_ms.pop(wanted.marginCallType, None)
        self._floor.answer(account, oa.ProtoOAMarginCallUpdateRes(), origin=origin)
        event = oa.ProtoOAMarginCallUpdateEvent(ctidTraderAccountId=account.account_id)
        event.marginCall.CopyFrom(margin_call(account, wanted.marginCallType))
        self._floor.push(account, event, Cause.SERVER)

    # -- history ---------------------------------------------------------------------------------------------------

    def _window(
        self,
        req: oa.ProtoOADealListReq
        | oa.ProtoOAOrderListReq
        | oa.ProtoOADealListByPositionIdReq
        | oa.ProtoOAOrderListByPositionIdReq,
    ) -> tuple[int, int]:
        """The bounds of a request for deals or orders, both included; what is left out is open.

        Raises:
            Denial: INCORRECT_BOUNDARIES.
        """
        longest_ms = self._floor.settings.variants.longest_lists_ms
        to_ms = req.toTimestamp if req.HasField("toTimestamp") else CEILING_MS
        from_ms = req.fromTimestamp if req.HasField("fromTimestamp") else 0
        if not 0 <= from_ms < to_ms <= CEILING_MS:
            raise incorrect_boundaries(longest_ms or WEEK_MS)
        given = req.HasField("toTimestamp") and req.HasField("fromTimestamp")
        if longest_ms is not None and given and to_ms - from_ms > longest_ms:
            raise incorrect_boundaries(longest_ms)
        return from_ms, min(to_ms, self._floor.now_ms - self._floor.settings.delays.history_lag_ms)

    def _refuse_zero(self, req: oa.ProtoOADealListByPositionIdReq | oa.ProtoOAOrderListByPositionIdReq) -> None:
        refuses = self._floor.settings.variants.zero_from is ZeroFrom.REFUSED
        if refuses and req.HasField("fromTimestamp") and req.fromTimestamp == 0:
            raise incorrect_boundaries(WEEK_MS)

    def deals(self, account: Account, req: oa.ProtoOADealListReq) -> oa.ProtoOADealListRes:
        """Deals in a window, newest first, a page at a time.

        Raises:
            Denial: INCORRECT_BOUNDARIES, or a page of less than one row.
        """
        from_ms, to_ms = self._window(req)
        page = self._floor.settings.variants.deal_page
        if req.HasField("maxRows"):
            if req.maxRows <= 0:
                raise invalid("maxRows should be positive")
            page = min(page, req.maxRows)
        found = _deals_back(account, from_ms, to_ms, most=page + 1)
        return oa.ProtoOADealListRes(
            ctidTraderAccountId=account.account_id, deal=found[:page], hasMore=len(found) > page
        )

    def deals_of_position(
        self, account: Account, req: oa.ProtoOADealListByPositionIdReq
    ) -> oa.ProtoOADealListByPositionIdRes:
        """Deals of one position, newest first. A position that nobody knows has none.

        Raises:
            Denial: INCORRECT_BOUNDARIES.
        """
        self._refuse_zero(req)
        from_ms, to_ms = self._window(req)
        deals = _deals_back(account, from_ms, to_ms)
        return oa.ProtoOADealListByPositionIdRes(
            ctidTraderAccountId=account.account_id,
            deal=[deal for deal in deals if deal.positionId == req.positionId],
            hasMore=False,
        )

    def orders(self, account: Account, req: oa.ProtoOAOrderListReq) -> oa.ProtoOAOrderListRes:
        """Orders last changed in a window, newest change first, cancelled and protective ones among them.

        Raises:
            Denial: INCORRECT_BOUNDARIES.
        """
        from_ms, to_ms = self._window(req)
        return oa.ProtoOAOrderListRes(
            ctidTraderAccountId=account.account_id,
            order=[order.message(listed=True) for order in _orders_back(account, from_ms, to_ms)],
            hasMore=False,
        )

    def orders_of_position(
        self, account: Account, req: oa.ProtoOAOrderListByPositionIdReq
    ) -> oa.ProtoOAOrderListByPositionIdRes:
        """Orders of one position, newest change first.

        Raises:
            Denial: INCORRECT_BOUNDARIES.
        """
        self._refuse_zero(req)
        from_ms, to_ms = self._window(req)
        return oa.ProtoOAOrderListByPositionIdRes(
            ctidTraderAccountId=account.account_id,
            order=[
                order.message(listed=True)
                for order in _orders_back(account, from_ms, to_ms)
                if order.position.position_id == req.positionId
            ],
            hasMore=False,
        )

    def order_details(self, account: Account, req: oa.ProtoOAOrderDetailsReq) -> oa.ProtoOAOrderDetailsRes:
        """An order and all its deals.

        Raises:
            Denial: ORDER_NOT_FOUND as an error response, not as an order error (docs/protocol.md section 10.4).
        """
        order = account.all_orders.get(req.orderId)
        if order is None:
            raise invalid(
                f"Order {req.orderId} not found or not belong to trader {account.account_id}",
                code="ORDER_NOT_FOUND",
            )
        return oa.ProtoOAOrderDetailsRes(
            ctidTraderAccountId=account.account_id,
            order=order.message(listed=True),
            deal=[deal for deal in account.deals.values() if deal.orderId == order.order_id],
        )

    def offsets(self, account: Account, req: oa.ProtoOADealOffsetListReq) -> oa.ProtoOADealOffsetListRes:
        """Which deals closed this one, and which this one closed.

        Raises:
            Denial: ENTITY_NOT_FOUND.
        """
        if req.dealId not in account.deals:
            raise invalid(f"Deal not found with id {req.dealId}", code="ENTITY_NOT_FOUND")
        return oa.ProtoOADealOffsetListRes(
            ctidTraderAccountId=account.account_id,
            offsetBy=[
                _offset(account, offset.closing_deal_id, offset.volume)
                for offset in account.offsets
                if offset.opening_deal_id == req.dealId
            ],
            offsetting=[
                _offset(account, offset.opening_deal_id, offset.volume)
                for offset in account.offsets
                if offset.closing_deal_id == req.dealId
            ],
        )

    def cash_flow(self, account: Account, req: oa.ProtoOACashFlowHistoryListReq) -> oa.ProtoOACashFlowHistoryListRes:
        """Deposits and withdrawals in a window of a week at most.

        Raises:
            Denial: INCORRECT_BOUNDARIES.
        """
        if not 0 <= req.fromTimestamp < req.toTimestamp <= CEILING_MS or (
            req.toTimestamp - req.fromTimestamp > WEEK_MS
        ):
            raise incorrect_boundaries(WEEK_MS)
        return oa.ProtoOACashFlowHistoryListRes(
            ctidTraderAccountId=account.account_id,
            depositWithdraw=account.cash_between(req.fromTimestamp, req.toTimestamp),
        )


def _deals_back(account: Account, from_ms: int, to_ms: int, *, most: int | None = None) -> list[oa.ProtoOADeal]:
    found: list[oa.ProtoOADeal] = []
    for deal in reversed(account.deals.values()):
        if deal.executionTimestamp < from_ms or len(found) == most:
            break
        if deal.executionTimestamp <= to_ms:
            found.append(deal)
    return found


def _orders_back(account: Account, from_ms: int, to_ms: int) -> list[Order]:
    found = [order for order in account.all_orders.values() if from_ms <= order.updated_ms <= to_ms]
    found.sort(key=lambda order: (order.updated_ms, order.order_id), reverse=True)
    return found


def _offset(account: Account, deal_id: int, volume: int) -> oa.ProtoOADealOffset:
    deal = account.deals[deal_id]
    return oa.ProtoOADealOffset(
        dealId=deal_id,
        volume=volume,
        executionTimestamp=deal.executionTimestamp,
        executionPrice=deal.executionPrice,
    )
