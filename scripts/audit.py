"""`anyctrader audit`: checks the order audit's chain, tells an order's story, lists trades with slippage and cost."""

from __future__ import annotations

import anyctrader.scripts.early  # noqa: F401  # ahead of all that may fail

import csv
import enum
import re
from collections import Counter
from dataclasses import asdict, fields
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import anyio
import typer

from anyctrader.scripts.failures import carry_out, told
from anyctrader.scripts.halting import DesksSandboxOption, FolderOption, check_folder, folder_of
from anyctrader.scripts.options import (
    DebugOption,
    EnvFileOption,
    EnvironmentName,
    ExitCode,
    Format,
    FormatOption,
    alone,
)
from anyctrader.scripts.progress import waited
from anyctrader.scripts.terminal import escaped, is_terminal, print_json, print_line, remark
from anyctrader.session.stories import Selection, lines_of, select
from anyctrader.session.trades import Total, Trade, totals_of, trades_of
from anyctrader.session.verification import remarks, verify
from anyctrader.wire.drafting import DraftError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["audit"]

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_FRAME: Final = frozenset({"at", "environment", "seq", "place", "fact", "prev", "hash"})
_SPREADSHEET: Final = ("=", "+", "-", "@")
_COLUMNS: Final = (
    "at",
    "environment",
    "origin",
    "symbol",
    "side",
    "units",
    "price",
    "slippage_points",
    "slippage_pips",
    "slippage_quote_money",
    "commission",
    "swap",
    "conversion_fee",
    "net_profit",
)


class Question(enum.Enum):
    """What is asked of the audit."""

    VERIFY = "verify"
    SHOW = "show"
    TRADES = "trades"


def audit(
    question: Annotated[
        Question,
        typer.Argument(
            metavar="WHAT",
            help="verify the chain, show what happened, or list trades.",
        ),
    ],
    env: Annotated[EnvironmentName | None, typer.Option("--env", help="Only this environment.")] = None,
    symbol: Annotated[str | None, typer.Option(metavar="NAME", help="Only orders of this symbol.")] = None,
    day: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Only this day, UTC.")] = None,
    order: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only this order: its client order id, or an order, position or deal number."),
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="trades: write them to this file, too.")
    ] = None,
    folder: FolderOption = None,
    sandbox: DesksSandboxOption = False,
    output: FormatOption = Format.TEXT,
    env_file: EnvFileOption = None,
    debug: DebugOption = False,
) -> None:
    """Checks the order audit, and tells what is in it.

    verify ends with 1 where a line was changed, is missing, out of order or torn, and names it. show and trades end
    with 1 where nothing fits. A desk may be writing meanwhile.

    Example: anyctrader audit show --env demo --symbol EURUSD
    """
    wanted = Selection(environment=env.value if env is not None else None, symbol=symbol, day=day, order=order)
    if question is Question.VERIFY and wanted != Selection():
        raise typer.BadParameter("verify reads all there is: a chain cannot be checked in parts")
    if question is not Question.TRADES and csv_file is not None:
        raise typer.BadParameter("only trades are written as CSV", param_hint="--csv")
    if day is not None and not _is_day(day):
        raise typer.BadParameter(
            "there is no such day" if _DAY.fullmatch(day) else "write it as 2026-11-22", param_hint="--day"
        )
    check_folder(folder)
    where = partial(folder_of, folder, sandbox=sandbox, env_file=env_file)
    # In a thread, since files are read as fast as the disk gives them; an interrupt still ends it.
    action = partial(_answer, question, where, wanted, csv_file, output)
    carry_out(partial(anyio.to_thread.run_sync, action, abandon_on_cancel=True), debug=debug)


def _is_day(text: str) -> bool:
    try:
        return _DAY.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _answer(
    question: Question, where: partial[Path], wanted: Selection, csv_file: Path | None, output: Format
) -> ExitCode:
    folder = where()
    with waited("reading the audit", shown=question is Question.VERIFY or not is_terminal()):
        if question is Question.VERIFY:
            return _verify(folder, output)
        return _told(question, folder, wanted, csv_file, output)


def _told(question: Question, folder: Path, wanted: Selection, csv_file: Path | None, output: Format) -> ExitCode:
    told: set[tuple[str, int]] = set()

    def unreadable(file: str, line_number: int) -> None:
        if (file, line_number) not in told:
            told.add((file, line_number))
            remark(f"{escaped(file)}:{line_number}: the line cannot be read: see `anyctrader audit verify`")

    lines = select(partial(lines_of, folder, unreadable=unreadable), wanted)
    return _show(lines, output) if question is Question.SHOW else _trades(lines, csv_file, output)


def _verify(folder: Path, output: Format) -> ExitCode:
    found = verify(folder)
    for said in remarks(folder):
        remark(escaped(said))
    for damage in found:
        if output is Format.JSON:
            print_json(asdict(damage))
        else:
            print_line(escaped(str(damage)))
    if not found and output is Format.JSON:
        print_json({"folder": str(folder), "sound": True})
    elif not found:
        print_line(f"{escaped(str(folder))}: every line is as it was written")
    if found:
        kinds = Counter(damage.kind for damage in found)
        remark(f"{len(found)} damages: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    return ExitCode.NO if found else ExitCode.DONE


def _show(lines: Iterator[dict[str, Any]], output: Format) -> ExitCode:
    shown = False
    for line in lines:
        shown = True
        if output is Format.JSON:
            print_json(line)
            continue
        facts = " ".join(f"{name}={value}" for name, value in line.items() if name not in _FRAME)
        head = f"{line.get('at')} {line.get('environment')} {line.get('seq')} {line.get('fact')}"
        print_line(escaped(f"{head} {facts}".rstrip()), hanging="    ")
    if not shown:
        remark("no line fits")
    return ExitCode.DONE if shown else ExitCode.NO


def _trades(lines: Iterator[dict[str, Any]], csv_file: Path | None, output: Format) -> ExitCode:
    trades = trades_of(lines)
    totals = totals_of(trades)
    if csv_file is not None:
        _write_csv(csv_file, trades)
    if output is Format.JSON:
        for row in trades:
            print_json({"kind": "trade", **_plain(row)})
        for total in totals:
            print_json({"kind": "total", **_plain(total)})
    else:
        _print_table(trades, totals)
    if not trades:
        remark("no trade fits")
    return ExitCode.DONE if trades else ExitCode.NO


def _print_table(trades: list[Trade], totals: list[Total]) -> None:
    rows = [[_cell(row, name) for name in _COLUMNS] for row in trades]
    for total in totals:
        words = {"at": "total", "side": f"{total.trades} trades"}
        rows.append([words.get(name) or _cell(total, name) for name in _COLUMNS])
    if not rows:
        return
    heads = [name.replace("_", " ") for name in _COLUMNS]
    widths = [max(len(row[place]) for row in [heads, *rows]) for place in range(len(heads))]
    for row in [heads, *rows]:
        print_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _write_csv(path: Path, trades: list[Trade]) -> None:
    try:
        opened = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise DraftError(f"--csv: {told(error)}") from None
    with opened as file:
        writer = csv.writer(file)
        names = [each.name for each in fields(Trade)]
        writer.writerow(names)
        for trade in trades:
            writer.writerow(_safe(_plain(trade)[name]) for name in names)


def _safe(value: Any) -> Any:
    """A spreadsheet takes a text that begins so for a formula; a number that does is one."""
    if isinstance(value, str) and value.startswith(_SPREADSHEET) and not re.fullmatch(r"-?[\d.]+", value):
        return f"'{value}"
    return value


def _plain(row: Trade | Total) -> dict[str, Any]:
    return {
        name: f"{value:f}" if isinstance(value, Decimal) else escaped(value) if isinstance(value, str) else value
        for name, value in asdict(row).items()
    }


def _cell(row: Trade | Total, name: str) -> str:
    value = _plain(row).get(name)
    return "" if value is None else str(value)


if __name__ == "__main__":
    alone(audit)
