from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from anyctrader.wire.states import (
    ACCOUNT_TABLE,
    CONNECTION_TABLE,
    AccountInput,
    AccountState,
    ConnectionInput,
    ConnectionState,
)

TABLES = [(CONNECTION_TABLE, ConnectionState, ConnectionInput), (ACCOUNT_TABLE, AccountState, AccountInput)]


def moves(state: ConnectionState) -> dict[ConnectionInput, ConnectionState]:
    return {asked: after for (before, asked), after in CONNECTION_TABLE.items() if before is state}


@pytest.mark.parametrize(("table", "states", "inputs"), TABLES)
def test_a_table_speaks_of_its_states_and_inputs_and_cannot_be_changed(table: Any, states: Any, inputs: Any) -> None:
    assert isinstance(table, Mapping)
    assert {state for state, _ in table} == set(states)
    assert {asked for _, asked in table} == set(inputs)
    assert set(table.values()) == set(states)
    with pytest.raises(TypeError):
        table[next(iter(table))] = None


def test_closed_has_no_way_out() -> None:
    assert moves(ConnectionState.CLOSED) == {ConnectionInput.ENDED: ConnectionState.CLOSED}
    assert all(CONNECTION_TABLE[state, ConnectionInput.ENDED] is ConnectionState.CLOSED for state in ConnectionState)


def test_only_a_ready_connection_takes_requests_and_each_takes_early_ones() -> None:
    i = ConnectionInput
    for state in (ConnectionState.OPEN, ConnectionState.AUTHENTICATING, ConnectionState.READY):
        assert (i.REQUEST in moves(state)) is (state is ConnectionState.READY)
        assert (i.APP_AUTH in moves(state)) is (state is ConnectionState.OPEN)
        for harmless in (i.EARLY_REQUEST, i.HEARTBEAT, i.ANSWER):
            assert moves(state)[harmless] is state


def test_the_application_becomes_ready_by_the_answer_that_it_asked_for() -> None:
    i = ConnectionInput
    assert moves(ConnectionState.OPEN)[i.APP_AUTH] is ConnectionState.AUTHENTICATING
    assert moves(ConnectionState.AUTHENTICATING)[i.APP_AUTH_ANSWERED] is ConnectionState.READY
    assert moves(ConnectionState.AUTHENTICATING)[i.APP_AUTH_REFUSED] is ConnectionState.OPEN
    assert moves(ConnectionState.OPEN)[i.APP_AUTH_ANSWERED] is ConnectionState.OPEN
    assert moves(ConnectionState.READY)[i.APP_AUTH_REFUSED] is ConnectionState.READY


def test_an_account_needs_to_be_authenticated_for_its_requests_and_for_nothing_else() -> None:
    for state in AccountState:
        assert ((state, AccountInput.REQUEST) in ACCOUNT_TABLE) is (state is AccountState.AUTHENTICATED)
        assert ACCOUNT_TABLE[state, AccountInput.AUTH] is AccountState.AUTHENTICATING
        assert ACCOUNT_TABLE[state, AccountInput.AUTH_ANSWERED] is AccountState.AUTHENTICATED
        assert ACCOUNT_TABLE[state, AccountInput.AUTH_REFUSED] is AccountState.LOGGED_OUT
        assert ACCOUNT_TABLE[state, AccountInput.ENDED] is AccountState.LOGGED_OUT
