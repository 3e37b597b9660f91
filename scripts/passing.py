"""Frames on their way, shown to a person as `decode` shows them, and never in the way of the frames."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread

from anyctrader.session.kept_frame import kept_of
from anyctrader.wire import JsonCodec, ProtobufCodec
from anyctrader.wire.messages import name_of
from anyctrader.wire.redaction import Redaction

from .options import Format
from .passing_lines import Passing, PassingLines, colour_of
from .terminal import escaped, print_json_lines, print_lines, remark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from anyctrader.session.proxy import Passage
    from anyctrader.wire import Codec

__all__ = ["Screen"]

_Written = TypeVar("_Written")

_MOST_WAITING: Final = 2_000  # frames: more than a person can follow
_STUCK_S: Final = 0.5
_MOST_BYTES: Final = 16_000_000


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
        self._redaction = Redaction(secrets)
        self._lines = PassingLines(brief=brief)
        self._waiting: deque[Passage] = deque()
        self._bytes = 0
        self._left_out = 0
        self._writing = False
        self._news = anyio.Event()
        self._limiter = anyio.CapacityLimiter(1)

    def opened(self, client: int, server: str) -> None:
        """See `Onlooker`."""
        remark(f"client {client} is connected, on its behalf to {server}")

    def ended(self, client: int, reason: str) -> None:
        """See `Onlooker`."""
        try:
            said = self._redaction.text(reason)
        except Exception as fault:
            said = f"why could not be looked at ({type(fault).__name__}, a fault of ours)"
        remark(f"client {client} is gone: {escaped(said)}")

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

    async def is_stuck(self) -> bool:
        """Whether a write that was given up does not come to its end: nobody reads, and nobody has closed the pipe."""
        with anyio.move_on_after(_STUCK_S):
            while self._writing:  # noqa: ASYNC110 - a thread ends it, and an event would need the loop that it left
                await anyio.sleep(0.01)
        return self._writing

    def _write(self, group: Iterable[Passage]) -> None:
        self._writing = True
        try:
            self._write_lines(group)
        finally:
            self._writing = False

    def _write_lines(self, group: Iterable[Passage]) -> None:
        if self._output is Format.JSON:
            print_json_lines(self._looked_at(passage, self._lines.members) for passage in group)
            return
        for passage in group:
            print_lines(self._looked_at(passage, self._lines.of), colour=colour_of(passage.refused))

    def _looked_at(self, passage: Passage, write: Callable[[Passing], _Written]) -> _Written:
        """What is written of a frame. A mistake of ours in the looking costs that, and no client its connection."""
        try:
            return write(self._passing(passage))
        except Exception as fault:
            digest = hashlib.sha256(passage.body).hexdigest()
            remark(  # not what the fault says: that may quote the frame
                f"a frame of client {passage.client}, {len(passage.body)} bytes with SHA-256 {digest}, could not be "
                f"looked at ({type(fault).__name__}): this is a fault of ours, the frame itself went its way"
            )
            return write(_withheld(passage))

    def _passing(self, passage: Passage) -> Passing:
        """The frame without its secrets."""
        kept = kept_of(passage.body, codec=self._codec, redaction=self._redaction)
        return Passing(
            utc_us=passage.at.utc_us,
            client=str(passage.client),
            direction=passage.direction,
            size=len(passage.body),
            message=self._codec.decode(kept.body) if kept.body is not None else None,
            reason=kept.reason,
            refused=None if passage.refused is None else self._redaction.text(passage.refused),
            ours=passage.ours,
            name=None if kept.payload_type is None else name_of(kept.payload_type),
            payload_type=kept.payload_type,
            client_msg_id=kept.client_msg_id,
        )


def _withheld(passage: Passage) -> Passing:
    return Passing(
        utc_us=passage.at.utc_us,
        client=str(passage.client),
        direction=passage.direction,
        size=len(passage.body),
        message=None,
        reason="it could not be looked at",
        refused=None if passage.refused is None else "by the guard",
        ours=passage.ours,
    )
