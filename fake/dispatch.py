"""Which part of the exchange answers which request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from .charts import Charts
from .denials import Denial, invalid
from .reference import Reference
from .statements import Statements

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

    from .accounts import Account
    from .floor import Floor
    from .trading import Trading

__all__ = ["HANDLED", "Dispatch"]

HANDLED: frozenset[type[Message]] = frozenset(
    (
        oa.ProtoOANewOrderReq,
        oa.ProtoOACancelOrderReq,
        oa.ProtoOAAmendOrderReq,
        oa.ProtoOAAmendPositionSLTPReq,
        oa.ProtoOAClosePositionReq,
        oa.ProtoOAAssetListReq,
        oa.ProtoOAAssetClassListReq,
        oa.ProtoOASymbolCategoryListReq,
        oa.ProtoOASymbolsListReq,
        oa.ProtoOASymbolByIdReq,
        oa.ProtoOASymbolsForConversionReq,
        oa.ProtoOAGetDynamicLeverageByIDReq,
        oa.ProtoOATraderReq,
        oa.ProtoOAReconcileReq,
        oa.ProtoOAGetPositionUnrealizedPnLReq,
        oa.ProtoOAExpectedMarginReq,
        oa.ProtoOAMarginCallListReq,
        oa.ProtoOAMarginCallUpdateReq,
        oa.ProtoOADealListReq,
        oa.ProtoOADealListByPositionIdReq,
        oa.ProtoOAOrderListReq,
        oa.ProtoOAOrderListByPositionIdReq,
        oa.ProtoOAOrderDetailsReq,
        oa.ProtoOADealOffsetListReq,
        oa.ProtoOACashFlowHistoryListReq,
        oa.ProtoOAGetTrendbarsReq,
        oa.ProtoOAGetTickDataReq,
    )
)
"""The requests that the exchange answers; the others of the schema are about sessions and subscriptions."""


class Dispatch:
    """Takes each request to whom it concerns and sends the answer, or the refusal.

    Args:
        floor: where.
        trading: for what changes orders and positions.
        charts: for past prices.
    """

    def __init__(self, floor: Floor, trading: Trading, charts: Charts) -> None:
        self._floor = floor
        statements, reference = Statements(floor), Reference(floor)
        self._actions: dict[type[Message], Callable[[Account, Any, object], None]] = {
            oa.ProtoOANewOrderReq: trading.new_order,
            oa.ProtoOACancelOrderReq: trading.cancel_order,
            oa.ProtoOAAmendOrderReq: trading.amend_order,
            oa.ProtoOAAmendPositionSLTPReq: trading.amend_position,
            oa.ProtoOAClosePositionReq: trading.close_position,
            oa.ProtoOAMarginCallUpdateReq: statements.set_margin_call,
        }
        self._queries: dict[type[Message], Callable[[Account, Any], Message]] = {
            oa.ProtoOAAssetListReq: reference.assets,
            oa.ProtoOAAssetClassListReq: reference.asset_classes,
            oa.ProtoOASymbolCategoryListReq: reference.categories,
            oa.ProtoOASymbolsListReq: reference.symbols,
            oa.ProtoOASymbolByIdReq: reference.symbols_by_id,
            oa.ProtoOASymbolsForConversionReq: reference.conversion,
            oa.ProtoOAGetDynamicLeverageByIDReq: reference.leverage,
            oa.ProtoOATraderReq: statements.trader,
            oa.ProtoOAReconcileReq: statements.reconcile,
            oa.ProtoOAGetPositionUnrealizedPnLReq: statements.unrealised,
            oa.ProtoOAExpectedMarginReq: statements.expected_margin,
            oa.ProtoOAMarginCallListReq: statements.margin_calls,
            oa.ProtoOADealListReq: statements.deals,
            oa.ProtoOADealListByPositionIdReq: statements.deals_of_position,
            oa.ProtoOAOrderListReq: statements.orders,
            oa.ProtoOAOrderListByPositionIdReq: statements.orders_of_position,
            oa.ProtoOAOrderDetailsReq: statements.order_details,
            oa.ProtoOADealOffsetListReq: statements.offsets,
            oa.ProtoOACashFlowHistoryListReq: statements.cash_flow,
            oa.ProtoOAGetTrendbarsReq: charts.bars,
            oa.ProtoOAGetTickDataReq: charts.ticks,
        }

    def take(self, account: Account, request: Message, origin: object) -> None:
        """Do what a request asks; what there is to send is on the floor when this returns.

        Args:
            account: on whose behalf.
            request: of one of the classes in `HANDLED`; any other is answered UNSUPPORTED_MESSAGE.
            origin: for `Push.origin`.
        """
        kind = type(request)
        try:
            query = self._queries.get(kind)
            if query is not None:
                self._floor.answer(account, query(account, request), origin=origin)
            elif kind in self._actions:
                self._actions[kind](account, request, origin)
            else:
                raise invalid(f"{kind.__name__} is not supported", code="UNSUPPORTED_MESSAGE")
        except Denial as denial:
            self._floor.answer(account, denial.message(account.account_id), origin=origin)
