"""What the phases of the runbook work on: the settings, the desk of the present phase, and what was traded so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from anyctrader.session import Environment, clock

from .steps import StepFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyctrader.fake import FakeServer
    from anyctrader.session import Desk, Order, Settings

    from .sandbox import Sandbox
    from .steps import Step

__all__ = ["REAL", "SCALED", "Pace", "Phase", "Stage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long the slow parts take.

    Attributes:
        scale: intervals of the protocol are this many times as long as the real ones.
        soak_s: how long a connection is watched while it does nothing but beat.
        burst: how many requests are made at once to see them throttled.
        quote_s: how long a fresh quote is waited for; a quiet symbol of a market that is open ticks more often.
        fill_s: how long a fill, and then its stop loss, is waited for.
    """

    scale: float
    soak_s: float
    burst: int
    quote_s: float = 15.0
    fill_s: float = 20.0

    @property
    def longest_silence_s(self) -> float:
        """The longest that we may be silent: 10 s (docs/protocol.md section 4), scaled."""
        return 10.0 * self.scale

    def allowance_s(self, stall_s: float) -> float:
        """What a scaled silence may be longer by.

        Args:
            stall_s: how long this whole process was held up meanwhile. The machine's share of a silence is not
                scaled down with it, so what the scaling made heavier is given back; at the real pace that is nothing.
        """
        return (1 - self.scale) * stall_s


REAL: Final = Pace(scale=1.0, soak_s=30 * 60, burst=60)
"""At the real servers. More than a second's worth of requests, and no more: the limit is not to be tried out."""
SCALED: Final = Pace(scale=1 / 8, soak_s=12.0, burst=120)
"""In the sandbox: a heartbeat a second, and as many of them as a minute and a half really has."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """Shared by all phases of one walk.

    Attributes:
        settings: of the environments that are set up; live as the flag says.
        symbol: what is traded.
        pace: how long the slow parts take.
        confirm: asks the person at the terminal for the account id of live, and gives what was typed; None where
            nobody is there to be asked.
        progress: shows what the present step is at.
        sandbox: the servers, where they are ours; then what they saw is checked too.
        desk: of the present phase.
        orders: every order that was placed on this walk, closes included, oldest first.
        began_ms: when the walk began, UTC milliseconds.
        since_ms: when the first of the phases that this walk builds on began; earlier than `began_ms` where some of
            them were passed before.
    """

    settings: Settings
    symbol: str
    pace: Pace
    confirm: Callable[[], Awaitable[str | None]]
    progress: Callable[[str], None]
    sandbox: Sandbox | None = None
    desk: Desk | None = None
    orders: list[Order] = field(default_factory=list)
    began_ms: int = field(default_factory=clock.utc_ms)
    since_ms: int = 0
    _owner_known: bool = False

    def __post_init__(self) -> None:
        self.since_ms = self.since_ms or self.began_ms

    @property
    def open_desk(self) -> Desk:
        """The desk of the present phase."""
        if self.desk is None:
            raise StepFailed("no desk is open")
        return self.desk

    def server(self, environment: Environment) -> FakeServer | None:
        """The server of an environment, where it is ours."""
        return self.sandbox.servers[environment] if self.sandbox is not None else None

    def account_id(self, environment: Environment) -> int:
        """The account that the settings name.

        Raises:
            StepFailed: the environment is not set up.
        """
        settings = self.settings.environments.get(environment)
        if settings is None or settings.credentials.account_id is None:
            raise StepFailed(f"{environment.value} is not set up: fill in its keys in .env (docs/settings.md)")
        return settings.credentials.account_id

    def with_live_on(self) -> Settings:
        """The settings of both environments, once live is allowed to trade.

        Raises:
            StepFailed: it is not, or one of them is not set up.
        """
        for environment in Environment:
            self.account_id(environment)
        if self.sandbox is not None:
            return self.sandbox.settings(live_enabled=True)
        if not self.settings.environments[Environment.LIVE].live_enabled:
            raise StepFailed("live trading is off: set CTRADER_LIVE_ENABLED=true for this phase")
        return self.settings

    async def check_owner(self) -> str:
        """Has the account id of live typed by whoever owns it, once in a walk.

        Raises:
            StepFailed: nobody is there, or it is another number.
        """
        account_id = self.account_id(Environment.LIVE)
        if self.sandbox is not None:
            return f"account {account_id} is the sandbox's own: nobody is asked"
        if not self._owner_known:
            typed = await self.confirm()
            if typed is None:
                raise StepFailed("nobody can be asked: run this phase in a terminal")
            if typed.strip() != str(account_id):
                raise StepFailed("what was typed is not the account id of the settings: nothing was sent")
            self._owner_known = True
        return f"account {account_id}, as typed"


class Phase(Protocol):
    """One phase of the promotion.

    Attributes:
        letter: A to D.
        title: what it is about.
    """

    letter: str
    title: str

    def settings(self) -> Settings:
        """What its desk is opened with.

        Raises:
            StepFailed: what it needs is not set.
        """

    def steps(self) -> tuple[Step, ...]:
        """Its steps, in order."""

    async def clear(self) -> None:
        """Takes back what its steps have left behind, however they ended."""
