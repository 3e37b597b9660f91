"""What one account may still do: its limits, held against all that is open, works, is under way or is in doubt."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from ..wire import LocalProtocolError, Message
from ..wire import messages as oa
from . import clock, limits
from .balance import Balance
from .bounds import AllowedSymbols, LargestOrder, NoLimit
from .claims import Claim, Claims
from .day import Day
from .environments import Mode
from .errors import LimitExceeded, RequestFailed
from .intent import Validity
from .proposals import not_known, proposed
from .terms import Side

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from .account import Account
    from .books import Books
    from .bounds import Limits
    from .connection_log import ConnectionLog
    from .gate import Gate
    from .orders import OrderRecord
    from .request_record import RequestRecord
    from .symbols import Symbol

__all__ = ["Allowance"]

_MINUTE_S: Final = 60.0


class Allowance:
    """Holds what is to be sent against the limits. It must be asked last before an order is put into the books.

    Args:
        account: whose.
        books: of that account.
        gate: where a breach goes on record, and what the loss of the day trips.
        bounds: the limits.
        doubt: told the account whose books are in doubt: its balance has moved, and nothing was told that moved it.
        log: where what a person should know is written, or None.
    """

    def __init__(
        self,
        account: Account,
        *,
        books: Books,
        gate: Gate,
        bounds: Limits,
        doubt: Callable[[int], None],
        log: ConnectionLog | None = None,
    ) -> None:
        self._account = account
        self._books = books
        self._gate = gate
        self._bounds = bounds
        self._log = log
        self._claims = Claims(books)
        self._let_through = deque(books.past.orders_of_minute_s(utc_ms=clock.utc_ms(), now_s=clock.now_s()))
        self._tripped = False
        self._is_blind = False  # the last look at the loss, or the balance, has failed
        self._balance = Balance(account, ledger=books.ledger, doubt=lambda: doubt(account.id))
        self._day = Day(
            account,
            books=books,
            start_hour=bounds.day_start_hour,
            fresh_s=bounds.loss_check_s,
            doubt=lambda: doubt(account.id),
        )

    @property
    def watches_loss(self) -> bool:
        """Whether the loss of the day is limited."""
        return not isinstance(self._bounds.loss_of_day, NoLimit)

    @property
    def quote_age_s(self) -> float | None:
        """How old a quote may be that an order is held against; None where none is."""
        return None if isinstance(self._bounds.price_collar_percent, NoLimit) else self._bounds.quote_age_s

    def symbol_id_of(self, request: Any) -> int | None:
        """The symbol whose figures are needed to judge a request, or None where no limit is about it.

        Raises:
            LimitExceeded: it changes an order that is not known, so no limit can be applied. It is on record.
        """
        if isinstance(request, oa.ProtoOANewOrderReq):
            return request.symbolId if self._is_limited else None
        if not isinstance(request, oa.ProtoOAAmendOrderReq) or not self._is_limited:
            return None
        order = self._books.positions.order(request.orderId)
        if order is None:
            raise self._breach(request, not_known(request))
        return order.symbol_id

    @property
    def _is_limited(self) -> bool:
        bounds = self._bounds
        wide = (LargestOrder.UNLIMITED, AllowedSymbols.ALL, NoLimit.UNLIMITED)
        set_ = (
            bounds.largest_order_lots,
            bounds.allowed_symbols,
            bounds.most_positions,
            bounds.most_exposure_lots,
            bounds.orders_per_minute,
            bounds.price_collar_percent,
            bounds.loss_of_day,
        )
        return any(value not in wide for value in set_)

    def check_order(self, request: Any, symbol: Symbol) -> None:
        """Returns if a request by itself keeps to the limits.

        Raises:
            LimitExceeded: see `limits.check_order`. It is on record, and nothing left.
        """
        self._held(request, lambda: limits.check_order(self._bounds, proposed(request, symbol, self._books.positions)))

    async def result(self, request: Any) -> limits.Result | None:
        """The result of the day, which `check_account` is to be given at once; None where the loss is not limited.

        Raises:
            LimitExceeded: what the server says of it cannot be understood. It is on record, and nothing left.
            RequestFailed: it could not be read.
        """
        if not self.watches_loss:
            return None
        try:
            return await self._day.result()
        except ValueError as error:
            raise self._breach(request, f"loss_of_day: what was lost is not known ({error})") from error

    def check_account(self, request: Any, symbol: Symbol, result: limits.Result | None) -> None:
        """Returns if a request keeps to all limits together with what else there is. Never waits.

        What it lets through counts from now on: put the order into the books, or `claim` it, before anything waits.

        Raises:
            LimitExceeded: see `limits.check_account`. It is on record, and nothing left.
        """

        def check() -> None:
            proposal = proposed(request, symbol, self._books.positions)
            limits.check_order(self._bounds, proposal)
            limits.check_account(self._bounds, proposal, self._picture(proposal, result))
            if proposal.is_new:
                self._let_through.append(clock.now_s())

        try:
            self._held(request, check)
        except LimitExceeded:
            if result is not None:
                self._judge(result)
            raise

    def validity(self, request: Any, symbol: Symbol, *, within_s: float) -> Validity:
        """How long what `check_account` has just let through may take to leave: the quote goes stale meanwhile."""

        def check() -> None:
            proposal = proposed(request, symbol, self._books.positions)
            quote, age_s = self._quote(symbol, proposal.side)
            limits.check_collar(self._bounds, proposal, limits.Picture(quote=quote, quote_age_s=age_s))

        return Validity(found_s=clock.now_s(), within_s=within_s, look_again=lambda: self._held(request, check))

    def claim(self, request: Any, symbol: Symbol) -> Claim:
        """Counts a request that was let through as filled, until it is settled."""
        proposal = proposed(request, symbol, self._books.positions)
        claim = Claim(symbol.id, proposal.side, proposal.added_cents, proposal.is_new and proposal.opens_position)
        self._claims.add(claim)
        return claim

    def settle(self, claim: Claim, *, in_doubt: RequestRecord | None) -> None:
        """A request has ended. See `Claims.settle`."""
        self._claims.settle(claim, in_doubt=in_doubt)

    async def watch_loss(self) -> None:
        """Looks at the loss of the day. Where its limit is reached, the environment may only be reduced.

        Where it is not limited, only the balance is held against what was told.
        """
        if not self._books.positions.reconciled or self._gate.standing().mode is Mode.OFF:
            return
        try:
            if self.watches_loss:
                self._judge(await self._day.result())
            else:
                await self._balance.look()
        except (RequestFailed, LocalProtocolError, ValueError) as error:
            # Orders meet the same error, and are refused for it; a person is told here, once until it is over.
            if self._log is not None and not self._is_blind:
                what = "loss_not_known" if self.watches_loss else "balance_not_known"
                self._log.write(what, account=self._account.id, reason=str(error))
            self._is_blind = True
        else:
            self._is_blind = False

    # How

    def _held(self, request: Any, check: Callable[[], None]) -> None:
        try:
            check()
        except LimitExceeded as refusal:
            self._gate.refused(Message(request), refusal)
            raise

    def _breach(self, request: Any, text: str) -> LimitExceeded:
        refusal = LimitExceeded(text)
        self._gate.refused(Message(request), refusal)
        return refusal

    def _judge(self, result: limits.Result) -> None:
        """Trips the gate, once, where the loss of the day has reached its limit."""
        try:
            limits.check_result(self._bounds, result.settled)
        except LimitExceeded as reached:
            if not self._tripped:
                self._tripped = True
                self._gate.trip(Mode.REDUCE_ONLY, str(reached))

    def _picture(self, proposal: limits.Proposal, result: limits.Result | None) -> limits.Picture:
        quote, age_s = self._quote(proposal.symbol, proposal.side)
        return limits.Picture(
            positions=self._count_positions(),
            side_cents=self._side_cents(proposal.symbol.id, proposal.side),
            orders_in_minute=self._count_orders(),
            quote=quote,
            quote_age_s=age_s,
            result=result,
        )

    def _quote(self, symbol: Symbol, side: Side) -> tuple[Decimal | None, float]:
        spot = self._account.board.last(symbol.id)
        if spot is None:
            return None, 0.0
        return spot.ask if side is Side.BUY else spot.bid, clock.now_s() - spot.made_s

    def _unseen(self) -> list[OrderRecord]:
        """The orders of ours that may fill, or may have filled, and that the books of the server's do not show."""
        book = self._books.positions
        return [
            record
            for record in self._books.orders.open
            if not record.is_close and (record.order_id is None or book.order(record.order_id) is None)
        ]

    def _side_cents(self, symbol_id: int, side: Side) -> int:
        book = self._books.positions
        held = [position for position in book.positions if position.is_open]
        working = [order for order in book.orders if order.is_opening and order.is_working]
        unseen = [record for record in self._unseen() if record.symbol.id == symbol_id and record.side is side]
        claimed = [claim for claim in self._claims.all if (claim.symbol_id, claim.side) == (symbol_id, side)]
        return (
            sum(each.volume_cents for each in held if (each.symbol_id, each.side) == (symbol_id, side))
            + sum(
                each.volume_cents - each.executed_volume_cents
                for each in working
                if (each.symbol_id, each.side) == (symbol_id, side)
            )
            + sum(record.volume_cents - record.filled_volume_cents for record in unseen)
            + sum(claim.volume_cents for claim in claimed)
        )

    def _count_positions(self) -> int:
        book = self._books.positions
        ids: set[object] = {position.id for position in book.positions if position.is_open}
        for order in book.orders:
            if order.is_opening and order.is_working:
                # The server names the position that an order will open when it takes it (section 10).
                ids.add(order.position_id if order.position_id is not None else order)
        for record in self._unseen():
            into = record.position_id or getattr(record.intent, "position_id", None)
            ids.add(into if into is not None else record)
        return len(ids) + sum(claim.opens_position for claim in self._claims.all)

    def _count_orders(self) -> int:
        now_s = clock.now_s()
        while self._let_through and now_s - self._let_through[0] >= _MINUTE_S:
            self._let_through.popleft()
        return len(self._let_through)
