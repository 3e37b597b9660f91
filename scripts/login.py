"""`anyctrader login`: lets a person allow access in the browser, and stores the tokens that this gives."""

from __future__ import annotations

import anyctrader.scripts.early  # noqa: F401  # ahead of all that may fail

import secrets
import webbrowser
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import anyio
import anyio.to_thread
import typer

from anyctrader.scripts.callback import Callback, LoginFailed, take_code
from anyctrader.scripts.failures import carry_out
from anyctrader.scripts.oauth import PUBLISHED, OAuthService
from anyctrader.scripts.options import (
    DebugOption,
    EnvFileOption,
    EnvironmentArgument,
    ExitCode,
    Format,
    FormatOption,
    alone,
)
from anyctrader.scripts.terminal import can_answer, escaped, is_terminal, print_json, print_line, remark
from anyctrader.session import (
    AuthenticationFailed,
    ConnectFailed,
    Credentials,
    CTraderError,
    Environment,
    OutcomeUnknown,
    Refused,
    RequestFailed,
    ServerError,
    clock,
    connect,
)
from anyctrader.session.reconnect import TOKEN_CODES
from anyctrader.session.registration import Registration, load_registration
from anyctrader.session.token_store import StoredPair, TokenPair, TokenStore, TokensUnreadable
from anyctrader.session.transport import open_stream
from anyctrader.wire import messages as oa

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["login"]

_LOCK_LOOK_S = 0.1
_LOCK_S = 60.0
_REACH_S = 15.0  # a person waits for the browser meanwhile
_LISTING_S = 60.0  # a person waits, and nothing is lost by coming back later
_AGAIN_FIRST_S = 1.0
_AGAIN_MOST_S = 10.0

T = TypeVar("T")
_Known: TypeAlias = "tuple[TokenPair, int | None, list[Any]]"


def login(
    env: EnvironmentArgument,
    view_only: Annotated[bool, typer.Option("--view-only", help="Ask for a token that cannot trade.")] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser, or only show its address.")
    ] = True,
    yes: Annotated[bool, typer.Option("--yes", help="Store the tokens without asking.")] = False,
    wait_s: Annotated[float, typer.Option(help="How long the consent may take, in seconds.", min=1.0)] = 300.0,
    oauth_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Another OAuth service: that of a fake server.")
    ] = None,
    output: FormatOption = Format.TEXT,
    env_file: EnvFileOption = None,
    debug: DebugOption = False,
) -> None:
    """Gets tokens in the browser and stores them.

    It needs the application's id and secret in the settings, and its redirect address registered. A desk that runs
    takes the new tokens up by itself.

    Example: anyctrader login demo
    """
    environment = Environment(env.value)
    try:
        service = OAuthService.at(oauth_url) if oauth_url is not None else PUBLISHED
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--oauth-url") from None
    carry_out(
        partial(
            _login,
            partial(load_registration, environment, env_file),
            service,
            may_trade=not view_only,
            browser=browser,
            ask=not yes and can_answer() and is_terminal(),
            wait_s=wait_s,
            output=output,
        ),
        debug=debug,
    )


async def _login(
    settings: partial[Registration],
    service: OAuthService,
    *,
    may_trade: bool,
    browser: bool,
    ask: bool,
    wait_s: float,
    output: Format,
) -> ExitCode:
    registration = settings()
    await _check_before(registration)
    store = TokenStore(registration.token_folder, registration.environment)
    known = await _held(registration, store)
    if known is None:
        code = await _code(registration, service, may_trade=may_trade, browser=browser, wait_s=wait_s)
        pair = await service.exchange(registration, code)
        try:
            await _written(store, partial(store.hold, registration.client_id, pair))
        except CTraderError as error:
            remark(f"{escaped(str(error))}: should this login be interrupted now, what was allowed is lost")
        known = await _listed(registration, store, pair)
    pair, user_id, rows = known
    environment = registration.environment
    ours = [row.ctidTraderAccountId for row in rows if row.isLive is environment.is_live]
    if output is Format.TEXT:
        for row in rows:
            kind = "live" if row.isLive else "demo"
            print_line(
                f"{kind} account {row.ctidTraderAccountId}, login {row.traderLogin}, {escaped(row.brokerTitleShort)}"
            )
    if not ours:
        await _written(store, partial(store.drop, pair))
        raise LoginFailed(f"no {environment.value} account was ticked: nothing was stored")
    if ask and not await anyio.to_thread.run_sync(
        partial(typer.confirm, f"Store these tokens for {environment.value}?")
    ):
        await _written(store, partial(store.drop, pair))
        raise LoginFailed("nothing was stored")
    stored = StoredPair(
        client_id=registration.client_id,
        user_id=user_id,
        account_ids=tuple(sorted(row.ctidTraderAccountId for row in rows)),
        pair=pair,
    )
    await _written(store, partial(store.save, stored))
    if output is Format.JSON:
        accounts = [{"ctidTraderAccountId": row.ctidTraderAccountId, "isLive": row.isLive} for row in rows]
        print_json({"environment": environment.value, "file": str(store.path), "accounts": accounts})
    else:
        print_line(
            f"The tokens of {environment.value} are in {store.path}. "
            f"Its account id is one of: {', '.join(map(str, ours))}"
        )
    return ExitCode.DONE


async def _check_before(registration: Registration) -> None:
    """Sees that the server answers and that tokens can be stored, while no consent was given and no code used up.

    Raises:
        ConnectFailed: no verified connection, or another process holds the lock.
        LoginFailed: the folder takes no tokens.
    """
    stream = await open_stream(registration.endpoint, deadline_s=_REACH_S)
    with anyio.move_on_after(_REACH_S, shield=True):
        await stream.aclose()
    store = TokenStore(registration.token_folder, registration.environment)
    async with _locked(store):
        await _in_thread(store, store.probe)


async def _code(
    registration: Registration, service: OAuthService, *, may_trade: bool, browser: bool, wait_s: float
) -> str:
    callback = Callback(registration.redirect_uri, secrets.token_urlsafe(16))
    page = service.consent_page(registration, state=callback.state, may_trade=may_trade)
    listening = anyio.Event()

    async def send_off() -> None:
        await listening.wait()
        remark(f"Allow access to the {registration.environment.value} account on this page:\n{page}")
        if browser:
            await anyio.to_thread.run_sync(webbrowser.open, page, abandon_on_cancel=True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send_off)
        code = await take_code(callback, within_s=wait_s, listening=listening)
        tasks.cancel_scope.cancel()
    return code


async def _held(registration: Registration, store: TokenStore) -> _Known | None:
    """What an earlier login was given, and could not show: it is gone on with, and no other consent needed.

    Raises:
        See `_listed`.
    """
    pair = await _in_thread(store, partial(store.held, registration.client_id))
    if pair is None:
        return None
    remark("An earlier login was not finished. Its tokens are there: asking which accounts they cover.")
    try:
        return await _listed(registration, store, pair)
    except AuthenticationFailed as error:
        if error.code not in TOKEN_CODES:
            raise
        await _written(store, partial(store.drop, pair))
        remark("They were taken out: others are asked for.")
        return None


async def _listed(registration: Registration, store: TokenStore, pair: TokenPair) -> _Known:
    """Whose tokens these are, and which accounts they cover; asked again for a while where a connection fails.

    Raises:
        CTraderError: it could not be found out. The pair stays put aside.
    """
    by_s, delay_s = clock.now_s() + _LISTING_S, _AGAIN_FIRST_S
    while True:
        try:
            return pair, *await _accounts(registration, pair)
        except CTraderError as error:
            lasting = not isinstance(error, ConnectFailed | RequestFailed) or isinstance(error, Refused)
            if lasting or clock.now_s() + delay_s >= by_s:
                await _tell_what_is_left(registration, store)
                raise
            remark(f"The accounts cannot be listed yet, and are asked for again: {escaped(str(error))}")
        await anyio.sleep(delay_s)
        delay_s = min(2 * delay_s, _AGAIN_MOST_S)


async def _tell_what_is_left(registration: Registration, store: TokenStore) -> None:
    name = registration.environment.value
    if await _in_thread(store, partial(store.held, registration.client_id)) is None:
        remark("The tokens are lost with this login.")
    else:
        remark(
            f"The tokens are kept in {store.path}, where nobody uses them yet: `anyctrader login {name}` goes on with "
            "them, and needs no other consent"
        )


async def _accounts(registration: Registration, pair: TokenPair) -> tuple[int | None, list[Any]]:
    """The same, asked once of the environment's own server."""
    credentials = Credentials(
        registration.environment,
        client_id=registration.client_id,
        client_secret=registration.client_secret,
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
    )
    endpoint = registration.endpoint
    async with connect(
        registration.environment,
        credentials,
        codec=registration.codec,
        host=endpoint.host,
        port=endpoint.port,
        ca_file=endpoint.ca_file,
        delimiting=endpoint.delimiting,
        transport=endpoint.transport,
        proxy=endpoint.proxy,
    ) as session:
        rows = await session.accounts()
        request = oa.ProtoOAGetCtidProfileByTokenReq(accessToken=pair.access_token.reveal())
        try:
            user_id: int | None = (await session.request(request)).profile.userId
        except (ServerError, OutcomeUnknown):
            user_id = None  # a session finds its pair by the account then
    return user_id, rows


async def _written(store: TokenStore, work: Callable[[], None]) -> None:
    async with _locked(store):
        with anyio.CancelScope(shield=True):  # the code is used up: what it gave must not be lost now
            await _in_thread(store, work)


@asynccontextmanager
async def _locked(store: TokenStore) -> AsyncIterator[None]:
    try:
        with anyio.fail_after(_LOCK_S):
            while (descriptor := await _in_thread(store, store.lock)) is None:  # noqa: ASYNC110 - another process's
                await anyio.sleep(_LOCK_LOOK_S)
    except TimeoutError:
        raise ConnectFailed(
            f"another process holds {store.lock_path}, the lock of the token file {store.path}"
        ) from None
    try:
        yield
    finally:
        store.unlock(descriptor)


async def _in_thread(store: TokenStore, work: Callable[[], T]) -> T:
    try:
        return await anyio.to_thread.run_sync(work)
    except TokensUnreadable as error:
        raise LoginFailed(str(error)) from None
    except OSError as error:
        raise LoginFailed(f"{store.path}: tokens cannot be stored there ({error.strerror or error})") from None


if __name__ == "__main__":
    alone(login)
