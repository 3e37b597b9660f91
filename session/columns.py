"""The columns of the audit files: every name that a line may have, and its one type. Pure.

The first line of each file has all of them, with nothing in them. Tools that make tables of JSON lines look at the
first hundred lines, or the first thousands, and drop without a word what comes up later (`polars.read_ndjson`,
`duckdb.read_json`).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COLUMNS_FACT", "ORDER_COLUMNS", "SNAPSHOT_COLUMNS"]

COLUMNS_FACT: Final = "columns"


def _blank(*, texts: str, numbers: str, flags: str) -> Mapping[str, str | int | bool]:
    blank: dict[str, str | int | bool] = dict.fromkeys(texts.split(), "")
    blank |= dict.fromkeys(numbers.split(), 0)
    blank |= dict.fromkeys(flags.split(), False)
    return MappingProxyType(blank)


ORDER_COLUMNS: Final = _blank(
    texts="""
        average_price base_price changes client_order_id closing_commission comment commission conversion_fee error
        error_code error_description execution file gross_profit halted_at intent_id label limit_price lots message
        mode net net_profit order_type outcome price quoted_price reason request request_id requested_price set_aside
        side slippage_pips slippage_points slippage_price slippage_quote_money state stop_loss
        stop_loss_distance stop_loss_pips stop_price stop_trigger_method swap symbol take_profit take_profit_distance
        take_profit_pips time_in_force told_at type units who
    """,
    numbers="""
        accepted_after_ms account_id bytes closed_volume_cents deal_id executed_at_ms executed_volume_cents
        expires_at_ms filled_after_ms first last line lines open_volume_cents order_id position_id range_points
        relative_stop_loss relative_take_profit sent_after_ms sent_at_ms symbol_id volume_cents within_ms
    """,
    flags="close_if_unprotected closes guaranteed_stop_loss server_event trailing_stop",
)
"""Those of `order_audit.jsonl`."""

SNAPSHOT_COLUMNS: Final = _blank(
    texts="""
        base_slippage_price client_order_id comment commission label limit_price price side stop_loss stop_price swap
        symbol take_profit used_margin why
    """,
    numbers="""
        account_id created_at_ms executed_volume_cents expires_at_ms id lines open_positions opened_at_ms order_id
        pending_orders position_id protective_order_id relative_stop_loss relative_take_profit slippage_points status
        stop_trigger_method symbol_id time_in_force type updated_at_ms volume_cents
    """,
    flags="closing guaranteed_stop_loss trailing_stop",
)
"""Those of `position_snapshot.jsonl`."""
