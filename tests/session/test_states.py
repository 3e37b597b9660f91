"""The session's table: which input leads from which state to which."""

from __future__ import annotations

from itertools import pairwise, product

import pytest

from anyctrader.session.states import SESSION_TABLE, SessionInput, SessionState

UP = (SessionState.CONNECTING, SessionState.AUTHENTICATING, SessionState.RESTORING, SessionState.READY)


def test_a_session_that_comes_up_goes_through_every_stage_in_order() -> None:
    state = SessionState.CONNECTING
    passed = [state]
    for moved_by in (SessionInput.CONNECTED, SessionInput.AUTHENTICATED, SessionInput.RESTORED):
        state = SESSION_TABLE[state, moved_by]
        passed.append(state)
    assert passed == list(UP)


@pytest.mark.parametrize("state", UP)
def test_a_loss_at_any_stage_leads_to_waiting_and_from_there_to_another_try(state: SessionState) -> None:
    lost = SESSION_TABLE[state, SessionInput.LOST]
    assert lost is SessionState.WAITING
    assert SESSION_TABLE[lost, SessionInput.RETRY] is SessionState.CONNECTING


@pytest.mark.parametrize("state", UP)
def test_a_refusal_at_any_stage_is_left_only_by_another_try_or_for_good(state: SessionState) -> None:
    refused = SESSION_TABLE[state, SessionInput.REFUSED]
    ways_out = {moved_by for (before, moved_by) in SESSION_TABLE if before is refused}
    assert refused is SessionState.REFUSED
    assert ways_out == {SessionInput.RETRY, SessionInput.LEFT}


@pytest.mark.parametrize("state", SessionState)
def test_leaving_closes_a_session_from_anywhere(state: SessionState) -> None:
    assert SESSION_TABLE[state, SessionInput.LEFT] is SessionState.CLOSED


def test_nothing_leads_out_of_closed() -> None:
    after = {SESSION_TABLE[state, moved_by] for (state, moved_by) in SESSION_TABLE if state is SessionState.CLOSED}
    assert after == {SessionState.CLOSED}


def test_no_stage_can_be_skipped() -> None:
    forward = {SessionInput.CONNECTED, SessionInput.AUTHENTICATED, SessionInput.RESTORED}
    moves = {(s, SESSION_TABLE[s, i]) for s, i in product(SessionState, forward) if (s, i) in SESSION_TABLE}
    assert moves == set(pairwise(UP))


def test_an_account_that_is_lost_leads_back_to_restoring_and_no_further() -> None:
    lost = {state for (state, moved_by) in SESSION_TABLE if moved_by is SessionInput.ACCOUNT_LOST}
    assert lost == {SessionState.READY, SessionState.RESTORING}
    assert {SESSION_TABLE[state, SessionInput.ACCOUNT_LOST] for state in lost} == {SessionState.RESTORING}


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        SESSION_TABLE[SessionState.CLOSED, SessionInput.RETRY] = SessionState.CONNECTING  # type: ignore[index]
