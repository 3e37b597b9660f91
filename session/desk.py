"""Demo and live side by side: each with its own tasks, ids and limits, neither able to end the other."""

from __future__ import annotations

import traceback
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from . import clock, stopping
from .amendments import OrderAmendment, PositionAmendment
from .arguments import check_kind, check_word
from .audit import open_audit
from .books import Books
from .changes import Cancel, Close
from .client import Session
from .connection_log import open_connection_log
from .discretion import discreet
from .environments import Environment, Mode
from .errors import LiveTradingDisabled, NotSent, Refused, SessionClosed
from .estate import left_behind
from .gate import Gate
from .settings import Settings
from .states import SessionState
from .tasks import background, unwrapped
from .tickets import Ticket
from .token_store import TokenStore
from .trading import Trading

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from ..wire.units import ExactNumber
    from .account import Account
    from .audit import Audit
    from .connection_log import ConnectionLog
    from .holdings import PendingOrder, Position
    from .leftovers import Leftovers
    from .order import Order
    from .settings import Credentials, EnvironmentSettings

__all__ = ["Desk", "open_desk"]


class _Side:
    """One environment of the desk."""

    def __init__(
        self,
        settings: EnvironmentSettings,
        credentials: Credentials,
        *,
        audit: Audit,
        log: ConnectionLog,
        folder: Path,
        left: Leftovers | None = None,
        token_folder: Path | None = None,
    ) -> None:
        environment = settings.environment
        self.settings = settings
        self.log = log
        self.trading: Trading | None = None
        self.failure: BaseException | None = None
        self.settled = anyio.Event()
        assert settings.credentials.account_id is not None
        self.account_id = settings.credentials.account_id
        # The limits are counted by account, in each session: whoever trades two has twice of each.
        self.gate = Gate(
            environment,
            mode=settings.mode,
            why=_why(settings),
            audit=audit,
            halts=folder,
            bound=True,
            trades=self.account_id,
            limits=settings.limits,
        )
        self.session = Session(
            credentials,
            codec=settings.codec,
            endpoint=settings.endpoint,
            timings=settings.timings,
            rates=settings.rates,
            limits=settings.limits,
            gate=self.gate,
            log=log,
            accounts=(self.account_id,),
            left=left,
            tokens=TokenStore(token_folder, environment) if token_folder is not None else None,
        )

    async def serve(self) -> None:
        """Holds this environment up. Whatever goes wrong in here stays in here."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._look_after_fills)
                await self.session.serve()
        except Exception as error:
            self.failure = unwrapped(error)
            where = traceback.extract_tb(self.failure.__traceback__)[-1]
            self.log.write("crashed", error=repr(self.failure), where=f"{where.filename}:{where.lineno}")
        finally:
            self.settled.set()

    async def _look_after_fills(self) -> None:
        try:
            await self.session.wait_for(SessionState.READY)
        except SessionClosed:
            return  # the session says itself by what it ended
        await self.desk().serve()

    async def settle(self) -> None:
        """Returns when the first try has ended, one way or the other."""
        async with background() as tasks:
            tasks.start_soon(self._watch)
            await self.settled.wait()

    async def _watch(self) -> None:
        await self.session.wait_for(SessionState.READY, SessionState.WAITING, SessionState.REFUSED, SessionState.CLOSED)
        self.settled.set()

    def account(self) -> Account:
        account = self.session.authorized.get(self.account_id)
        if account is None:
            raise NotSent(
                f"account {self.account_id} of {self.settings.environment.value} is not authorised yet: the session "
                f"is {self.session.state.value} ({self.session.reason})"
            )
        return account

    def desk(self) -> Trading:
        if self.trading is None:
            books = self.books()
            self.trading = Trading(
                self.session,
                self.account(),
                books=books,
                gate=self.gate,
                allowance=self.session.allowances[self.account_id],
                log=self.log,
            )
        return self.trading

    @property
    def known_books(self) -> Books | None:
        """The books, once the server's whole list was in them: before that they are empty, and say nothing."""
        books = self.session.books.get(self.account_id)
        return books if books is not None and books.positions.reconciled else None

    def books(self) -> Books:
        books = self.known_books
        if books is None:
            self.account()  # says why there are none
            raise NotSent(f"account {self.account_id} of {self.settings.environment.value} is not restored yet")
        return books

    def snapshot(self, why: str) -> None:
        """Writes what is open into the audit, if that was ever known."""
        if self.known_books is not None:
            self.known_books.snapshot(why)

    async def aclose(self) -> None:
        if self.trading is not None:
            await self.trading.aclose()


class Desk:
    """Both environments behind one set of calls, each of which names the one that it means. Made by `open_desk`.

    Attributes:
        log_folder: where the connection logs, the order audit and the position snapshots are.
        warnings: remarks of the settings, for a person.
    """

    def __init__(self, sides: Mapping[Environment, _Side], *, audit: Audit, settings: Settings) -> None:
        self._sides = dict(sides)
        self._audit = audit
        self.log_folder = settings.log_folder
        self.warnings = settings.warnings

    # Looking

    @property
    def environments(self) -> tuple[Environment, ...]:
        """Those that the settings name."""
        return tuple(self._sides)

    def session(self, environment: Environment) -> Session:
        """The session of an environment: its state, its reasons, its link."""
        return self._side(environment).session

    def account(self, environment: Environment) -> Account:
        """The account that the settings name.

        Raises:
            NotSent: it is not authorised yet.
        """
        return self._side(environment).account()

    def failure(self, environment: Environment) -> BaseException | None:
        """What brought an environment down for good, where something did; the other one goes on."""
        return self._side(environment).failure

    def mode(self, environment: Environment) -> Mode:
        """What may be asked of it now."""
        return self._side(environment).gate.standing().mode

    def why(self, environment: Environment) -> str:
        """Where that mode comes from, and how it changes."""
        return self._side(environment).gate.standing().why

    @property
    def orders(self) -> dict[str, Order]:
        """The orders of this desk by client order id, oldest first in each environment.

        Of those that have ended, the newest 1,000 of each account at the least; the audit has all of them.
        """
        return {
            id_: order
            for side in self._sides.values()
            for books in side.session.books.values()
            for id_, order in books.handles.items()
        }

    def positions(self, environment: Environment) -> tuple[Position, ...]:
        """What is open, as the server last told.

        Raises:
            NotSent: the account was not restored yet.
        """
        return self._side(environment).books().positions.positions

    def pending_orders(self, environment: Environment) -> tuple[PendingOrder, ...]:
        """The orders that wait for their price, whoever placed them.

        Raises:
            NotSent: the account was not restored yet.
        """
        return self._side(environment).books().positions.pending_orders

    # Trading

    async def place(self, environment: Environment, ticket: Ticket) -> Order:
        """Places an order; returns at the server's first answer. Its record is on disk before its bytes leave.

        Args:
            environment: where.
            ticket: what.

        Raises:
            LiveTradingDisabled: it is for live, and trading there is off. Nothing left.
            Refused: the order cannot be right, a limit would be passed, or it could not be recorded. Nothing left.
            NotSent: it did not leave in time, or the session is not ready. It may be repeated.
            ServerError: the server refused it.
            OutcomeUnknown: it left and was not answered: its order finds out. Each carries the order, where one was
                made, and an order stays in `orders` even where the caller was cancelled.
            TypeError: an argument is of a wrong kind. Nothing left.
        """
        check_kind("ticket", ticket, Ticket)
        return await self._open(environment, ticket).place(ticket)

    async def amend(self, environment: Environment, change: OrderAmendment | PositionAmendment) -> None:
        """Changes a pending order, or the levels of a position; what is not mentioned stays.

        Raises:
            See `place`.
        """
        check_kind("change", change, OrderAmendment | PositionAmendment)
        await self._open(environment, change).amend(change)

    async def cancel(self, environment: Environment, order_id: int) -> None:
        """Takes back a pending order.

        Raises:
            InvalidOrder: it is the hidden order that holds a position's levels: `amend` changes those.
            See `place`.
        """
        await self._open(environment, Cancel(order_id)).cancel(order_id)

    async def close(
        self,
        environment: Environment,
        position_id: int,
        *,
        lots: ExactNumber | None = None,
        units: ExactNumber | None = None,
        volume_cents: ExactNumber | None = None,
    ) -> Order:
        """Closes a position: all of it, or the part that one of the sizes gives.

        Raises:
            See `place`.
        """
        close = Close(position_id, lots=lots, units=units, volume_cents=volume_cents)
        trading = self._open(environment, close)
        return await trading.close(position_id, lots=lots, units=units, volume_cents=volume_cents)

    # Stopping

    async def halt(self, environment: Environment, *, why: str, mode: Mode = Mode.OFF) -> None:
        """Stops trading there at once, in every process that uses this log folder, until somebody resumes it.

        Args:
            environment: where.
            why: the reason, for people; secrets of the settings are covered in it.
            mode: what is left.

        Raises:
            HaltIncomplete: its file could not be placed. This process has stopped, until `resume`; others were not
                told, and after a restart this one has not been either.
        """
        check_word("environment", environment, Environment)
        check_kind("why", why, str)
        check_word("mode", mode, Mode)
        for side in self._sides.values():
            why = side.gate.mask(why)
        at_ms = clock.utc_ms()
        await stopping.stop(self._side(environment).gate, self.log_folder, why=why, mode=mode, at_ms=at_ms)

    async def resume(self, environment: Environment) -> None:
        """Lifts the halt. What the settings allow is what is allowed again.

        Raises:
            OSError: the halt could not be lifted.
        """
        await stopping.lift(self._side(environment).gate, self.log_folder)

    def snapshot(self, environment: Environment) -> None:
        """Writes what is known to be open into `position_snapshot.jsonl`.

        It is held against the server's list right after that: where that has something else, a `difference` is on
        record, and another snapshot follows.

        Raises:
            NotSent: the account was not restored yet.
        """
        side = self._side(environment)
        side.books().snapshot("asked")
        side.session.book_watch.soon()

    async def flush(self) -> None:
        """Returns when all that was noted so far is on the disk.

        Raises:
            AuditUnavailable: the disk does not take it.
        """
        await self._audit.flush()

    # Inside

    def _side(self, environment: Environment) -> _Side:
        check_word("environment", environment, Environment)
        try:
            return self._sides[environment]
        except KeyError:
            raise Refused(f"{environment.value} is not configured: its settings are not there") from None

    def _open(
        self, environment: Environment, meant: Ticket | OrderAmendment | PositionAmendment | Cancel | Close
    ) -> Trading:
        side = self._side(environment)
        standing = side.gate.standing()
        if standing.mode is Mode.OFF and side.known_books is None:
            # Not even an account is there to make the order for: say what stands in the way, not what is missing.
            kind = LiveTradingDisabled if environment.is_live else Refused
            refusal = kind(f"trading on {environment.value} is off ({standing.why})")
            side.gate.note("refused", {**meant.described(), "error": kind.__name__, "reason": str(refusal)})
            raise refusal
        return side.desk()


@asynccontextmanager
async def open_desk(settings: Settings, *, sandbox: bool = False) -> AsyncIterator[Desk]:
    """Opens every environment of the settings, and holds them up while the body runs.

    Returns into the body when the first try of each has ended: an environment that is down, or was refused, does not
    take the other along; `Desk.session` says how it is, and it is tried again.

    Args:
        settings: see `load_settings`.
        sandbox: marks every record as a sandbox's.

    Raises:
        AuditUnavailable: the audit files cannot be opened. Nothing was connected.
        TypeError: these are no settings. Nothing was opened.
    """
    check_kind("settings", settings, Settings, shown=False)
    async with AsyncExitStack() as stack:
        audit = await stack.enter_async_context(open_audit(settings.log_folder, sandbox=sandbox))
        sides: dict[Environment, _Side] = {}
        credentials = await discreet(settings)
        for environment, part in settings.environments.items():
            log = await stack.enter_async_context(
                open_connection_log(settings.log_folder, environment, sandbox=sandbox)
            )
            for warning in settings.warnings:
                log.write("settings", warning=warning)
            # A sandbox's servers are gone with their process, and the next ones use the same ids again.
            account_id = part.credentials.account_id
            left = None if sandbox else await left_behind(settings.log_folder, environment, account_id, log=log)
            sides[environment] = _Side(
                part,
                credentials[environment],
                audit=audit,
                log=log,
                folder=settings.log_folder,
                left=left,
                token_folder=settings.token_folder,
            )
            stack.push_async_callback(sides[environment].aclose)
        desk = Desk(sides, audit=audit, settings=settings)
        async with background() as tasks:
            for side in sides.values():
                tasks.start_soon(side.serve, name=f"{side.settings.environment.value} session")
            for side in sides.values():
                await side.settle()
            try:
                yield desk
            finally:
                for side in sides.values():
                    side.snapshot("shutdown")


def _why(settings: EnvironmentSettings) -> str:
    if settings.environment.is_live and not settings.live_enabled:
        return "CTRADER_LIVE_ENABLED is not true"
    return "the mode of the settings"
