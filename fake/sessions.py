"""Requests about sessions: application, accounts, tokens (docs/protocol.md section 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from .choices import LimitCheck, RefreshEffect, RefreshOrder, SecondAppAuth
from .refused import NOT_AUTHORIZED, Refused
from .tokens import Ended, TokenFault, TokenRefused

if TYPE_CHECKING:
    from .clients import Client
    from .switchboard import Switchboard
    from .tokens import Grant

__all__ = ["SessionRequests"]


class SessionRequests:
    """Answers the requests that start, renew and end sessions.

    Args:
        board: the server's state.
    """

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._settings = board.settings
        self._directory = board.directory

    # Each of these sends the answer itself, or raises `Refused`

    def version(self, client: Client, request: Any, client_msg_id: str | None) -> None:
        """`ProtoOAVersionReq`; taken before application auth as well."""
        self._board.send(client, oa.ProtoOAVersionRes(version=self._settings.version), client_msg_id)

    def application_auth(self, client: Client, request: Any, client_msg_id: str | None) -> None:
        """`ProtoOAApplicationAuthReq`."""
        if client.application is not None:
            second = self._settings.variants.second_app_auth
            if second is not SecondAppAuth.SUCCESS:
                raise Refused(second.value, "Application is already authorized")
        else:
            application = self._directory.application(request.clientId, request.clientSecret)
            if application is None or not application.active:
                known = request.clientId in self._directory.applications
                code = "CH_CLIENT_AUTH_FAILURE" if known else self._settings.variants.unknown_client.value
                raise Refused(code, "clientId or clientSecret is incorrect")
            self._check_connections(application.client_id)
            client.application = application
        self._board.send(client, oa.ProtoOAApplicationAuthRes(), client_msg_id)

    def account_auth(self, client: Client, request: Any, client_msg_id: str | None) -> None:
        """`ProtoOAAccountAuthReq`."""
        account_id = request.ctidTraderAccountId
        grant = self._grant(client, request.accessToken)
        listed = self._directory.accounts.get(account_id)
        if listed is None or account_id not in grant.account_ids:
            raise Refused("CH_CTID_TRADER_ACCOUNT_NOT_FOUND", "Trading account is not found")
        if listed.is_live is not self._settings.host.is_live:
            raise Refused("CANT_ROUTE_REQUEST", "Cannot route request: invalid route")
        if client.session(account_id) is not None:
            raise Refused("ALREADY_LOGGED_IN", "Trading account is already authorized in this channel")
        client.authorise(account_id, grant)
        self._board.send(client, oa.ProtoOAAccountAuthRes(ctidTraderAccountId=account_id), client_msg_id)
        self._board.replay(client, account_id)

    def account_list(self, client: Client, request: Any, client_msg_id: str | None) -> None:
        """`ProtoOAGetAccountListByAccessTokenReq`; either host lists the accounts of both."""
        grant = self._grant(client, request.accessToken)
        response = oa.ProtoOAGetAccountListByAccessTokenRes(
            accessToken=request.accessToken, permissionScope=grant.scope.value
        )
        for account_id in grant.account_ids:
            listed = self._directory.accounts.get(account_id)
            if listed is None:
                continue
            closing_deal_ms, balance_update_ms = listed.last_times_ms()
            response.ctidTraderAccount.append(
                oa.ProtoOACtidTraderAccount(
                    ctidTraderAccountId=account_id,
                    isLive=listed.is_live,
                    traderLogin=listed.trader_login,
                    lastClosingDealTimestamp=closing_deal_ms,
                    lastBalanceUpdateTimestamp=balance_update_ms,
                    brokerTitleShort=listed.broker_title,
                )
            )
        self._board.send(client, response, client_msg_id)

    def profile(self, client: Client, request: Any, client_msg_id: str | None) -> None:
        """`ProtoOAGetCtidProfileByTokenReq`."""
        grant = self._grant(client, request.accessToken)
        profile = oa.ProtoOACtidProfile(userId=grant.user_id)
        self._board.send(client, oa.ProtoOAGetCtidProfileByTokenRes(profile=profile), client_msg_id)

    def refresh(self, client: Client, request: Any, client_msg_id: str | None) -> None:
        """`ProtoOARefreshTokenReq`: no secret is asked for; the sessions on the old token end."""
        now_ms = self._board.agenda.now_ms()
        try:
            old, new = self._directory.refresh(request.refreshToken, now_ms=now_ms)
        except TokenRefused:
            raise Refused("CH_ACCESS_TOKEN_INVALID", "Refresh token is invalid") from None
        if self._settings.variants.refresh_order is RefreshOrder.EVENTS_FIRST:
            self._directory.retire(old)
        self._board.send(
            client,
            oa.ProtoOARefreshTokenRes(
                accessToken=new.access_token,
                tokenType="bearer",
                expiresIn=self._directory.policy.life_s,
                refreshToken=new.refresh_token,
            ),
            client_msg_id,
        )
        if self._settings.variants.refresh_order is RefreshOrder.RESPONSE_FIRST:
            self._directory.retire(old)

    def logout(self, client: Client, request: Any, client_msg_id: str | None) -> None:
        """`ProtoOAAccountLogoutReq`: the disconnect event completes it."""
        account_id = request.ctidTraderAccountId
        if client.session(account_id) is None:
            raise Refused("INVALID_REQUEST", NOT_AUTHORIZED)
        del client.sessions[account_id]
        self._board.send(client, oa.ProtoOAAccountLogoutRes(ctidTraderAccountId=account_id), client_msg_id)
        self._board.send(client, oa.ProtoOAAccountDisconnectEvent(ctidTraderAccountId=account_id))

    # What ends sessions from outside

    def grant_ended(self, grant: Grant, ended: Ended) -> None:
        """The sessions that run on this pair of tokens end, as the settings say (docs/protocol.md section 19)."""
        effect = self._settings.variants.refresh_effect if ended is Ended.REFRESHED else RefreshEffect.BOTH_EVENTS
        if effect is RefreshEffect.NONE:
            return
        for client in list(self._board.clients.values()):
            lost = [
                account_id
                for account_id, session in client.sessions.items()
                if session.alive and session.grant.access_token == grant.access_token
            ]
            for account_id in lost:
                if effect is RefreshEffect.SUBSCRIPTIONS_LOST:
                    del client.sessions[account_id]
                else:
                    client.sessions[account_id].alive = False
            if effect is not RefreshEffect.INVALIDATED_ONLY:
                for account_id in lost:
                    self._board.send(client, oa.ProtoOAAccountDisconnectEvent(ctidTraderAccountId=account_id))
            if lost and effect is not RefreshEffect.DISCONNECT_ONLY:
                self._board.send(
                    client, oa.ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=lost, reason=ended.value)
                )

    # Inside

    def _grant(self, client: Client, access_token: str) -> Grant:
        try:
            grant = self._directory.grant_of(access_token, now_ms=self._board.agenda.now_ms())
        except TokenRefused as refused:
            expired = refused.fault is TokenFault.EXPIRED
            code = self._settings.variants.expired_token.value if expired else "CH_ACCESS_TOKEN_INVALID"
            raise Refused(code, "Access token is expired" if expired else "Access token is invalid") from None
        if client.application is None or grant.client_id != client.application.client_id:
            raise Refused("CH_ACCESS_TOKEN_INVALID", "Access token is invalid")
        return grant

    def _check_connections(self, client_id: str) -> None:
        limits = self._settings.limits
        checked_here = limits.connections_checked is LimitCheck.APP_AUTH
        most = self._board.faults.connections(limits.connections if checked_here else None)
        held = sum(
            other.application is not None and other.application.client_id == client_id
            for other in self._board.clients.values()
        )
        if most is not None and held >= most:
            raise Refused("CONNECTIONS_LIMIT_EXCEEDED", f"Limit of {most} connections per application is exceeded")
