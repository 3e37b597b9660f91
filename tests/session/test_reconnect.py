"""How long a session waits before it tries again."""

from __future__ import annotations

import pytest

from anyctrader.session.reconnect import FATAL_CODES, Backoff


def delays(backoff: Backoff, count: int, *, ready_s: float = 0.0) -> list[float]:
    return [backoff.lost(ready_s=ready_s) for _ in range(count)]


def test_a_delay_lies_anywhere_between_nothing_and_its_ceiling() -> None:
    first = [Backoff(first_s=1.0, most_s=60.0, steady_s=60.0).lost(ready_s=0) for _ in range(500)]
    assert all(0 <= delay <= 1 for delay in first)
    assert min(first) < 0.2
    assert max(first) > 0.8


def test_the_ceiling_doubles_with_each_loss_and_stops_at_the_most() -> None:
    runs = [delays(Backoff(first_s=1.0, most_s=5.0, steady_s=60.0), 6) for _ in range(500)]
    for number, ceiling in enumerate((1, 2, 4, 5, 5, 5)):
        nth = [run[number] for run in runs]
        assert max(nth) <= ceiling
        assert max(nth) > 0.8 * ceiling


def test_a_spell_of_being_ready_makes_the_next_loss_a_first_one() -> None:
    after_spell = []
    for _ in range(300):
        backoff = Backoff(first_s=1.0, most_s=60.0, steady_s=10.0)
        delays(backoff, 5)
        after_spell.append(backoff.lost(ready_s=10.0))
    assert max(after_spell) <= 1


def test_a_connect_that_was_not_ready_for_long_does_not_reset_the_delay() -> None:
    after_flash = []
    for _ in range(300):
        backoff = Backoff(first_s=1.0, most_s=60.0, steady_s=10.0)
        delays(backoff, 5)
        after_flash.append(backoff.lost(ready_s=9.9))
    assert max(after_flash) > 16


def test_it_goes_on_for_ever_without_growing_out_of_bounds() -> None:
    backoff = Backoff(first_s=1.0, most_s=60.0, steady_s=60.0)
    assert max(delays(backoff, 10_000)) <= 60


def test_two_clients_do_not_wait_in_step() -> None:
    one, other = (delays(Backoff(first_s=1.0, most_s=60.0, steady_s=60.0), 20) for _ in range(2))
    assert one != other


@pytest.mark.parametrize(
    "code",
    [
        "CANT_ROUTE_REQUEST",
        "CH_SERVER_NOT_REACHABLE",
        "SERVER_IS_UNDER_MAINTENANCE",
        "REQUEST_FREQUENCY_EXCEEDED",
        "BLOCKED_PAYLOAD_TYPE",
        "CONNECTIONS_LIMIT_EXCEEDED",
        "UNKNOWN_ERROR",
        "TIMEOUT_ERROR",
    ],
)
def test_what_time_may_mend_is_not_fatal(code: str) -> None:
    assert code not in FATAL_CODES


@pytest.mark.parametrize(
    "code", ["CH_CLIENT_AUTH_FAILURE", "CH_ACCESS_TOKEN_INVALID", "OA_AUTH_TOKEN_EXPIRED", "CH_OA_CLIENT_NOT_FOUND"]
)
def test_refused_credentials_are_fatal(code: str) -> None:
    assert code in FATAL_CODES
