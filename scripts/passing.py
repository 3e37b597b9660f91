"""Frames on their way, shown to a person as `decode` shows them, and never in the way of the frames."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from anyctrader.session.kept_frame import kept_of
from anyctrader.session.recording import Direction, iso_of
from anyctrader.wire import JsonCodec, ProtobufCodec
from anyctrader.wire.redaction import Redaction
from anyctrader.wire.rendering import Frame, Rendering

from .options import Format
from .terminal import escaped, print_json_lines, print_lines, remark

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anyctrader.session.proxy import Passage
    from anyctrader.wire import Codec

__all__ = ["Screen"]

_MOST_WAITING: Final = 2_000  # frames: more than a person can follow
_MOST_BYTES: Final = 16_000_000
_HEAD: Final = "36"
_REFUSED: Final = "31"


class Screen:
    """Shows what passes. A terminal or a pipe that is too slow costs frames here, which are counted, and nothing else.

    Args:
        codec: `protobuf` or `json`.
        output: text, or a JSON line a frame.
        secrets: those that are known beforehand.
        brief: a line for each frame.
        quiet: show no frames, only who comes and goes.
    """

    def __init__(
        self, codec: str, *, output: Format, secrets: Iterable[str], brief: bool = False, quiet: bool = False
    ) -> None:
        self._quiet = quiet
        self._codec: Codec = ProtobufCodec() if codec == "protobuf" else JsonCodec()
        self._output = output
        self._brief = brief
        self._redaction = Redaction(secrets)
        self._rendering = Rendering()
        self._waiting: deque[Passage] = deque()
        self._bytes = 0
        self._left_out = 0
        self._news = anyio.Event()
        self._limiter = anyio.CapacityLimiter(1)

    def opened(self, client: int, server: str) -> None:
        """See `Onlooker`."""
        remark(f"client {client} is connected, to {server} on its behalf")

    def ended(self, client: int, reason: str) -> None:
        """See `Onlooker`."""
        remark(f"client {client} is gone: {escaped(self._redaction.text(reason))}")

    def passed(self, passage: Passage) -> None:
        """See `Onlooker`."""
        if self._quiet:
            return
        if len(self._waiting) >= _MOST_WAITING or self._bytes > _MOST_BYTES:
            self._left_out += 1
            return
        self._waiting.append(passage)
        self._bytes += len(passage.body)
        self._news.set()

    async def show(self) -> None:
        """Shows until it is cancelled.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            await self.flush()

    async def flush(self) -> None:
        """Shows what waits."""
        while self._waiting or self._left_out:
            group, self._waiting, self._bytes = self._waiting, deque(), 0
            left_out, self._left_out = self._left_out, 0
            await anyio.to_thread.run_sync(self._write, group, limiter=self._limiter, abandon_on_cancel=True)
            if left_out:
                remark(f"{left_out} frames went by and are not shown: what reads this is slower than they are")

    def _write(self, group: Iterable[Passage]) -> None:
        if self._output is Format.JSON:
            print_json_lines(self._members(passage) for passage in group)
            return
        for passage in group:
            print_lines(self._lines(passage), colour=_HEAD if passage.refused is None else _REFUSED)

    def _members(self, passage: Passage) -> dict[str, Any]:
        said: dict[str, Any] = {
            "at": iso_of(passage.at.utc_us),
            "client": passage.client,
            "direction": passage.direction.value,
        }
        if passage.refused is not None:
            said["refused"] = self._redaction.text(passage.refused)
        if passage.ours:
            said["ours"] = True
        frame = self._frame(passage)
        if isinstance(frame, Frame):
            return said | self._rendering.members(frame)
        return said | {"size": len(passage.body), "damage": frame}

    def _lines(self, passage: Passage) -> list[str]:
        arrow = "->" if passage.direction is Direction.TO_SERVER else "<-"
        head = f"{iso_of(passage.at.utc_us)[11:23]} #{passage.client} {arrow} "
        if passage.refused is not None:
            head += "REFUSED "
        frame = self._frame(passage)
        if not isinstance(frame, Frame):
            lines = [f"{len(passage.body)} bytes: {frame}"]
        elif self._brief:
            lines = [self._rendering.brief(frame.message)]
        else:
            lines = self._rendering.lines(frame)
        lines[0] = head + lines[0]
        if passage.refused is not None:
            lines.append(f"  {escaped(self._redaction.text(passage.refused))}")
        if passage.ours:
            lines.append("  this is the proxy's own answer")
        return lines

    def _frame(self, passage: Passage) -> Frame | str:
        """The frame without its secrets, or why there is none to show."""
        kept = kept_of(passage.body, codec=self._codec, redaction=self._redaction)
        if kept.body is None:
            return kept.reason or ""
        return Frame(self._codec.decode(kept.body), size=len(passage.body))
