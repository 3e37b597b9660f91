"""Each line of docs/protocol.md section 19 is a setting, with the default given there."""

from __future__ import annotations

import enum
import re
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake import FakeServer, ServerSettings
from anyctrader.fake.choices import Goodbye
from anyctrader.fake.scenario import read_scenario

from .quick import QUICK
from .raw_client import connected

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"

# By the question: the settings, each with the default; where it is a choice, by the name of its member.
SETTINGS: dict[str, dict[str, Any]] = {
    "JSON over raw TCP framing on 5036": {"json_delimiting": "LENGTH"},
    "Largest inbound frame; what follows a breach": {
        "limits.frame_bytes": 15_000_000,
        "limits.oversize": "ERROR_THEN_CLOSE",
    },
    "`clientMsgId` on second and later events of one request": {"variants.later_events": "ECHOED"},
    "`clientMsgId` on another connection's copy of the event": {"variants.other_connections": "ECHOED"},
    "`clientMsgId` on a later pending fill": {"variants.pending_fills": "EMPTY"},
    "Rate breach answer": {"limits.breach": "BLOCKED", "limits.breaches_before_close": None},
    "Is the window sliding or fixed, do heartbeats count": {"limits.window": "SLIDING", "limits.heartbeats": "FREE"},
    "`OrderListReq`, by-position, details: historical or not": {"limits.disputed": "HISTORICAL"},
    "Connection limit and when it is checked": {"limits.connections": 25, "limits.connections_checked": "APP_AUTH"},
    "Idle close time after auth; any frame before it": {"timing.idle_s": 60.0, "variants.idle_close": "NOTHING"},
    "Does a heartbeat sent before auth extend the 30 s": {
        "variants.early_heartbeat": "NONE",
        "timing.unauthenticated_s": 30.0,
    },
    "Second app auth": {"variants.second_app_auth": "CLIENT_ALREADY_AUTHENTICATED"},
    "Code for requests before app auth, and its text": {"variants.early_request": "NOT_AUTHENTICATED"},
    "Expired token at account auth": {"variants.expired_token": "INVALID"},
    "Used refresh token": {"variants.oauth_errors": "OK"},
    "Refresh effect on running sessions": {
        "variants.refresh_effect": "BOTH_EVENTS",
        "variants.refresh_order": "RESPONSE_FIRST",
    },
    "Old access token after refresh": {"tokens.old_access": "DEAD"},
    "Second consent revokes the first pair": {"tokens.second_consent": "REVOKES_FIRST"},
    "View-only token placing an order": {"variants.view_only_order": "TRADING_NOT_ALLOWED"},
    "Technical spot event before or after the subscribe response": {"variants.first_spot": "AFTER_RESPONSE"},
    "Duplicate subscription code": {"variants.second_subscription": "ALREADY_SUBSCRIBED"},
    "List with some unknown or already subscribed symbol ids": {
        "variants.partial_list": "REFUSED",
        "exchange.variants.unknown_in_list": "REFUSED",
    },
    "Depth needs spots": {"variants.depth_needs": "SPOTS"},
    "Position object in ACCEPTED": {"exchange.variants.accepted_position": "CREATED"},
    "Status of a fully closed protected position in FILLED": {"exchange.variants.protected_close": "CREATED"},
    "Full close of an unprotected position": {"exchange.variants.unprotected_close": "CLOSED"},
    "`isServerEvent` of a pending fill, of an expiry": {"exchange.variants.server_mark": "EXPIRY_ONLY"},
    "Events of STOP, STOP_LIMIT, MARKET_RANGE triggers; extra ACCEPTED at trigger": {
        "exchange.variants.trigger_events": "FILLED"
    },
    "MARKET_RANGE outside the range": {"exchange.variants.out_of_range": "CANCELLED"},
    "Absolute and relative levels both given": {"exchange.variants.both_levels": "REFUSED"},
    "Removing both levels": {"exchange.variants.both_removed": "CANCELLED"},
    "Amend that changes nothing": {"exchange.variants.same_values": "REPLACED"},
    "AmendOrder with omitted fields": {"exchange.variants.omitted_fields": "REMOVED"},
    "AmendOrder volume after a partial fill: whole or rest": {"exchange.variants.amended_volume": "WHOLE"},
    "Netted account: event pattern when reversing": {"exchange.variants.reversal": "SAME_ORDER"},
    "Duplicate `clientOrderId`": {"exchange.variants.same_client_order_id": "ACCEPTED"},
    "Over-long label/comment": {"exchange.variants.long_text": "REFUSED"},
    "NOT_ENOUGH_MONEY carrier": {"exchange.variants.not_enough_money": "ORDER_ERROR"},
    "Which refusals arrive as ACCEPTED → REJECTED": {
        "exchange.variants.market_closed": "ORDER_ERROR",
        "exchange.variants.no_quotes": "ORDER_ERROR",
    },
    "Stop-out marking": {"exchange.variants.stop_out_mark": "BOTH"},
    "SWAP execution event contents and time; per position or per account": {
        "exchange.variants.swap_notice": "PER_POSITION"
    },
    "`TraderUpdatedEvent` / `MarginChangedEvent` after opens and closes": {"exchange.variants.notices": "NOT_SENT"},
    "Fills replayed after reconnect": {"variants.replayed_fills": "NO"},
    "Trendbar page size and `hasMore` presence": {
        "exchange.variants.bar_page": 14_000,
        "exchange.variants.bars_have_more": True,
    },
    "Range limits for deal and order lists": {"exchange.variants.longest_lists_ms": None},
    "Are the trendbar range limits enforced, and with which first row": {"exchange.variants.longest_bars": "AS_STATED"},
    "`fromTimestamp` 0 on by-position lists": {"exchange.variants.zero_from": "ALLOWED"},
    "Tick page size": {"exchange.variants.tick_page": 5_000},
    "Money rounding": {"exchange.variants.fee_rounding": "UP"},
    # Lost and late execution events are the faults `lose` and `late`, which `steps` brings from the start on.
    "Losing or delaying an execution event (issue 47)": {"steps": ()},
    "Weekend behaviour": {"variants.weekend": "ACCOUNTS_DROPPED"},
    "Order of 2148 and the TCP close": {"variants.goodbye": "EVENT_THEN_CLOSE", "timing.goodbye_s": 1.0},
    "Non-schema extra fields": {"exchange.variants.extra_field": True},
}


def questions() -> list[str]:
    section = PAGE.read_text(encoding="utf-8").partition("\n## 19.")[2]
    rows = [row for row in section.splitlines() if row.startswith("|")][2:]
    return [re.split(r"(?<!\\)\|", row)[1].strip() for row in rows]


def test_each_question_of_the_page_is_a_setting_and_no_setting_is_without_its_question() -> None:
    assert len(questions()) >= 50
    assert questions() == list(SETTINGS)


@pytest.mark.parametrize("question", SETTINGS)
def test_the_default_is_that_of_the_page(question: str) -> None:
    for path, default in SETTINGS[question].items():
        value = attrgetter(path)(ServerSettings())
        assert (value.name if isinstance(value, enum.Enum) else value) == default, path


def test_the_figures_are_those_of_section_18() -> None:
    settings = ServerSettings()
    timing, limits = settings.timing, settings.limits
    assert (timing.answer_s, timing.unauthenticated_s, timing.heartbeat_s, timing.idle_s) == (0.045, 30, 30, 60)
    assert (limits.ordinary_per_window, limits.historical_per_window, limits.window_s) == (50, 5, 1)
    assert (limits.first_retry_after_s, limits.longest_retry_after_s) == (1, 5)
    assert (settings.tokens.life_s, settings.tokens.code_life_s) == (2_628_000, 60)
    assert settings.bind == "127.0.0.1"


@pytest.mark.parametrize("question", SETTINGS)
def test_each_alternative_can_be_said_in_a_scenario(question: str) -> None:
    for path in SETTINGS[question]:
        value = attrgetter(path)(ServerSettings())
        others = [each for each in type(value) if each is not value] if isinstance(value, enum.Enum) else []
        for other in others:
            table: dict[str, Any] = {}
            *way, last = path.split(".")
            inner = table
            for name in way:
                inner = inner.setdefault(name, {})
            inner[last] = other.name.lower()
            assert attrgetter(path)(read_scenario(table)) is other


@pytest.mark.anyio
async def test_a_session_may_end_without_an_event_that_says_so() -> None:
    variants = replace(QUICK.variants, goodbye=Goodbye.CLOSE)
    async with FakeServer(replace(QUICK, variants=variants)) as server, connected(server) as client:
        await client.authorise(server)
        server.disconnect_clients()
        assert await client.gone() == []


def test_each_section_that_says_how_the_server_behaves_is_named_where_it_is_followed() -> None:
    root = PAGE.parents[1]
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("fake", "tests/fake")
        for path in (root / folder).rglob("*.py")
        if path != Path(__file__)
    )
    lists = re.findall(r"[Ss]ections? ((?:\d+(?:\.\d+)?(?:, | and | to )?)+)", text)
    named = set(re.findall(r"\d+(?:\.\d+)?", " ".join(lists)))
    page = PAGE.read_text(encoding="utf-8")
    sections = re.findall(r"^#{2,3} (\d+(?:\.\d+)?)", page, re.MULTILINE)
    # 0 says how to read the page, 16 and 17 are for people who write clients.
    assert set(sections) - {"0", "16", "17"} <= named
