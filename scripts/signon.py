"""Checks that both environments share: the token covers the account, the account is authorised, reading works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyctrader.session import SessionState
from anyctrader.wire import messages as oa
from anyctrader.wire import units

from .steps import StepFailed

if TYPE_CHECKING:
    from .probe import Probe

__all__ = ["check_account", "check_reading", "check_token"]


async def check_token(probe: Probe) -> str:
    """The session is up, and the account list has the account of the settings, of the right environment.

    Raises:
        StepFailed: it has not.
    """
    session, environment = probe.session, probe.environment
    if session.state is not SessionState.READY:
        if session.failure is not None:
            raise session.failure
        raise StepFailed(f"{environment.value} is {session.state.value}: {session.reason}")
    account_id = probe.stage.account_id(environment)
    listed = await session.accounts()
    account = next((row for row in listed if row.ctidTraderAccountId == account_id), None)
    if account is None:
        known = ", ".join(str(row.ctidTraderAccountId) for row in listed)
        raise StepFailed(f"the token does not cover account {account_id}; it covers {known or 'none'}")
    if account.isLive is not environment.is_live:
        raise StepFailed(f"account {account_id} is not of {environment.value}")
    server = probe.stage.server(environment)
    if server is not None:
        await server.wait_for("ProtoOAGetAccountListByAccessTokenReq")
    return (
        f"{session.endpoint.host}:{session.endpoint.port} takes the token; it covers {len(listed)} accounts, "
        f"among them {account_id}, {environment.value}, login {account.traderLogin}"
    )


async def check_account(probe: Probe) -> str:
    """The account is authorised, answers for itself, and may trade.

    Raises:
        StepFailed: it does not.
    """
    account_id = probe.stage.account_id(probe.environment)
    account = probe.account
    probe.check("authorised account", account.id, account_id)
    trader = (await account.request(oa.ProtoOATraderReq())).trader
    probe.check("account of the answer", trader.ctidTraderAccountId, account_id)
    server = probe.stage.server(probe.environment)
    if server is not None:
        seen = await server.wait_for("ProtoOAAccountAuthReq")
        probe.check("account of the authorisation", seen[0].message.ctidTraderAccountId, account_id)
    netted = trader.accountType == oa.ProtoOAAccountType.NETTED
    if netted:
        symbol = await probe.symbol()
        if any(position.tradeData.symbolId == symbol.id for position in (await probe.reconcile()).position):
            # There an order of ours would become a part of it, and closing ours would close what is not.
            raise StepFailed(
                f"this account is netted and has {symbol.name} open: close that, or walk with another --symbol"
            )
    balance = units.money_from_wire(trader.balance, money_digits=units.money_digits_of(trader))
    return (
        f"account {account_id} of {trader.brokerName or 'its broker'}: balance {balance}, "
        f"leverage 1:{trader.leverageInCents // 100}, {'netted' if netted else 'hedged'}"
    )


async def check_reading(probe: Probe) -> str:
    """Version, account, symbols, positions, deals and quotes can be read.

    Raises:
        StepFailed: one of them cannot.
    """
    version = (await probe.session.request(oa.ProtoOAVersionReq())).version
    balance = await probe.balance()
    names = await probe.account.symbol_names()
    symbol = await probe.symbol()
    listed = await probe.reconcile()
    deals = (
        await probe.account.request(
            oa.ProtoOADealListReq(
                fromTimestamp=probe.stage.began_ms - 86_400_000, toTimestamp=probe.stage.began_ms, maxRows=10
            )
        )
    ).deal
    spot = await probe.quote()
    return (
        f"version {version}, balance {balance}, {len(names)} symbols, {len(listed.position)} positions, "
        f"{len(listed.order)} orders, {len(deals)} deals of the day before, {symbol.name} {spot.bid}/{spot.ask}"
    )
