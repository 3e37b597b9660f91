"""What the audit files say, read back from the disk: the runbook believes no line that it has not read."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
import orjson

from anyctrader.session import OrderState
from anyctrader.session.chain import iso_ms
from anyctrader.session.day_files import files_of
from anyctrader.session.verification import verify

from .steps import StepFailed

if TYPE_CHECKING:
    from pathlib import Path

    from anyctrader.session import Environment, Order

    from .stage import Stage

__all__ = ["Evidence", "Records"]

_AT: Final = b'{"at":"'  # what every line begins with; a time follows that sorts as text
_LOOKS: Final = 3
_COSTS: Final = ("slippage_pips", "slippage_quote_money", "commission")


@dataclass(frozen=True, slots=True)
class Records:
    """Lines of one audit file, oldest first.

    Attributes:
        lines: the JSON object of each.
    """

    lines: tuple[dict[str, Any], ...]

    @classmethod
    def read(cls, folder: Path, stem: str, *, since_ms: int) -> Records:
        """The lines of a file, and of those that it was on earlier days.

        Args:
            folder: where the files are.
            stem: `order_audit` or `position_snapshot`.
            since_ms: UTC milliseconds from which on.

        Raises:
            StepFailed: there is no such file, or a line of it is no record.
        """
        paths = files_of(folder, stem)
        if not paths:
            raise StepFailed(f"there is no {stem}.jsonl in {folder}")
        since, lines = iso_ms(since_ms).encode(), []
        for path in paths:
            with path.open("rb") as file:
                for number, text in enumerate(file, 1):
                    if text.startswith(_AT) and text[len(_AT) :] < since:
                        continue  # of a year's lines, nearly all: not worth parsing
                    try:
                        line = orjson.loads(text)
                        if line["at"].encode() >= since:
                            lines.append(line)
                    except (orjson.JSONDecodeError, KeyError, TypeError):
                        raise StepFailed(f"line {number} of {path} is no record") from None
        return cls(tuple(lines))

    def of(self, environment: Environment, **members: Any) -> Records:
        """Those of an environment whose members are these."""
        wanted = {"environment": environment.value, **members}
        return Records(
            tuple(line for line in self.lines if all(line.get(name) == value for name, value in wanted.items()))
        )

    def in_order(self, *facts: str) -> list[dict[str, Any]]:
        """The first line of each of these facts.

        Raises:
            StepFailed: one is missing, or they are not in this order.
        """
        found: list[dict[str, Any]] = []
        for fact in facts:
            line = next((line for line in self.lines if line["fact"] == fact), None)
            if line is None:
                there = ", ".join(line["fact"] for line in self.lines)
                raise StepFailed(f"the audit has no line '{fact}' of it, only: {there or 'nothing'}")
            if found and line["seq"] < found[-1]["seq"]:
                raise StepFailed(f"in the audit '{fact}' comes before '{found[-1]['fact']}'")
            found.append(line)
        return found


@dataclass(frozen=True, slots=True)
class Evidence:
    """The audit files as they are on the disk at one moment.

    Attributes:
        orders: `order_audit.jsonl`.
        snapshots: `position_snapshot.jsonl`.
    """

    orders: Records
    snapshots: Records

    @classmethod
    async def collect(cls, stage: Stage) -> Evidence:
        """Waits until all that was noted is on the disk, reads it, and verifies the chains.

        Raises:
            StepFailed: there is damage, a file is missing, or a line has not the mark of the sandbox.
        """
        await stage.open_desk.flush()
        folder, since_ms = stage.settings.log_folder, stage.since_ms

        def read() -> Evidence:
            # A line that is being written while its file is read looks like a torn one; the next look tells.
            for _ in range(_LOOKS):
                damages = verify(folder)
                if not damages:
                    break
            else:
                raise StepFailed(f"the audit is damaged in {len(damages)} places, first {damages[0]}")
            return cls(
                Records.read(folder, "order_audit", since_ms=since_ms),
                Records.read(folder, "position_snapshot", since_ms=since_ms),
            )

        evidence = await anyio.to_thread.run_sync(read)
        for line in (*evidence.orders.lines, *evidence.snapshots.lines):
            if line.get("sandbox", False) is not (stage.sandbox is not None):
                raise StepFailed(f"line {line['seq']} of {line['environment']} is not marked as it should be")
        return evidence

    def check_order(self, order: Order) -> None:
        """Sees that an order's life is on record, in its order, its fills with slippage and cost.

        Raises:
            StepFailed: something is missing.
        """
        try:
            lines = self.orders.of(order.environment, client_order_id=order.client_order_id)
            if order.state is OrderState.NOT_SENT:
                lines.in_order("intent", "not_sent")
                return
            intent, sent = lines.in_order("intent", "sent")
            if intent["at"] > sent["at"]:
                raise StepFailed("its intent is younger than its sending")
            if order.state.is_final:
                lines.in_order("sent", "finished")
            filled = [line for line in lines.lines if line["fact"] == "fill"]
            on_record = {line["deal_id"] for line in filled}
            for fill in order.fills:
                if fill.deal_id not in on_record:
                    raise StepFailed(f"deal {fill.deal_id} is not in the audit")
            for line in filled:
                missing = [name for name in _COSTS if line.get(name) is None]
                if missing:
                    raise StepFailed(f"its fill is on record without {', '.join(missing)}")
        except StepFailed as failed:
            raise StepFailed(f"order {order.order_id or order.client_order_id}: {failed}") from failed

    def check_change(self, environment: Environment, request: str, **members: Any) -> None:
        """Sees that an amendment or a cancellation is on record: meant, sent, done.

        Raises:
            StepFailed: it is not.
        """
        try:
            intent = self.orders.of(environment, request=request, **members).in_order("intent")[0]
            self.orders.of(environment, intent_id=intent["intent_id"]).in_order("intent", "sent", "change_done")
        except StepFailed as failed:
            what = ", ".join(f"{name} {value}" for name, value in members.items())
            raise StepFailed(f"{request} of {what}: {failed}") from failed

    def fill_of(self, environment: Environment, deal_id: int) -> dict[str, Any]:
        """The line of a deal.

        Raises:
            StepFailed: there is none, or more than one.
        """
        lines = self.orders.of(environment, fact="fill", deal_id=deal_id).lines
        if len(lines) != 1:
            raise StepFailed(f"deal {deal_id} of {environment.value} is in the audit {len(lines)} times")
        return lines[0]

    def costs(self, environment: Environment) -> str:
        """Slippage and cost of all that was filled, for people."""
        fills = self.orders.of(environment, fact="fill").lines
        slippage = [Decimal(line["slippage_pips"]) for line in fills if line.get("slippage_pips") is not None]
        commission = sum(Decimal(line["commission"]) for line in fills if line.get("commission") is not None)
        net = sum(Decimal(line["net"]) for line in fills if line.get("net") is not None)
        worst = f", slippage at worst {max(slippage):.1f} pips" if slippage else ""
        return f"{environment.value}: {len(fills)} fills{worst}, commission {commission}, booked {net}"

    def summary(self) -> str:
        """How much there is."""
        return f"{len(self.orders.lines)} lines of orders, {len(self.snapshots.lines)} of positions, chains intact"
