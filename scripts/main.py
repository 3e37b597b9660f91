"""`anyctrader`: one entry for all commands. A command's module is imported when it is called, and not before."""

from __future__ import annotations

import anyctrader.scripts.early  # noqa: F401  # ahead of all that may fail

import importlib
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from anyctrader.scripts.extras import not_installed
from anyctrader.scripts.options import begin, context_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COMMANDS", "Entry", "main"]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is to be found.

    Attributes:
        module: its module in `anyctrader.scripts`; the function in it has the command's name.
        help: what it does, in a line.
    """

    module: str
    help: str


COMMANDS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "run": Entry("run", "Holds demo and live up and shows their state."),
        "runbook": Entry("runbook", "Walks the promotion from demo to live, step by step."),
        "halt": Entry("halt", "Stops trading in an environment at once."),
        "resume": Entry("resume", "Lifts a halt."),
        "audit": Entry("audit", "Checks the order audit, and tells what is in it."),
        "login": Entry("login", "Gets tokens in the browser and stores them."),
        "ping": Entry("ping", "Times each step of a connection."),
        "send": Entry("send", "Sends one request and shows the reply."),
        "tail": Entry("tail", "Shows events as they come."),
        "decode": Entry("decode", "Shows the messages in captured bytes."),
        "record": Entry("record", "Records every frame of a connection of its own, both ways."),
        "replay": Entry("replay", "Plays a recording back, to a client or to a server."),
        "proxy": Entry("proxy", "Stands between any client and the server and shows each frame."),
        "fake": Entry("fake", "Runs the fake server."),
    }
)
"""Every command, in the order in which the help lists them."""


class _Commands(TyperGroup):
    """The commands by name. For the help a name and a line are enough, and nothing of theirs is imported."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, entry in COMMANDS.items():
            self.add_command(TyperCommand(name, help=entry.help, rich_markup_mode=None), name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else _load(name), rest


def _load(name: str) -> Any:
    try:
        module = importlib.import_module(f"anyctrader.scripts.{COMMANDS[name].module}")
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.startswith("anyctrader"):
            raise
        typer.echo(f"{name}: {not_installed(missing.name)}", err=True)
        raise typer.Exit(2) from None
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name)(getattr(module, name))
    return typer.main.get_command(app)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"anyctrader {version('anyctrader')}")
        raise typer.Exit


def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A client for the cTrader Open API: demo and live side by side, never mixed up, every order on record.

    To try it without an account: anyctrader runbook --sandbox
    """


def main() -> None:
    """The `anyctrader` command."""
    app = typer.Typer(
        cls=_Commands,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        name="anyctrader",
        context_settings=context_settings(),
    )
    app.callback()(_top)
    begin(app, prog_name="anyctrader")


if __name__ == "__main__":
    main()
