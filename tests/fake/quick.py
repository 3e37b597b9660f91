"""Settings of most tests here: answers without delay, and two symbols, for each price path costs time to lay out."""

from __future__ import annotations

from anyctrader.fake import ExchangeSettings, ServerSettings, Timing

EXCHANGE = ExchangeSettings(symbols=ExchangeSettings().symbols[:2])
QUICK = ServerSettings(timing=Timing.instant(), exchange=EXCHANGE)
