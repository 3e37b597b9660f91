"""How a frame that passes, or has passed, is written: which way, when, and what `decode` shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from anyctrader.session.recording import Direction, iso_of
from anyctrader.wire import Message
from anyctrader.wire.rendering import Frame, Rendering, repetition

from .terminal import escaped

__all__ = ["Passing", "PassingLines", "colour_of"]

_HEAD: Final = "36"
_REFUSED: Final = "31"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """A frame, its secrets covered.

    Attributes:
        utc_us: when, microseconds since the epoch.
        client: whose: a number of the proxy, a connection of a recording.
        direction: which way.
        size: bytes of its body as it travelled.
        message: what was in it; None where that is not to be shown.
        reason: why there is no message.
        refused: why our guard took it out, or None.
        ours: whether the proxy put it in.
        name: of its message, where that is known without it.
        payload_type: likewise.
        client_msg_id: likewise.
        offset: bytes ahead of its line in a recording; None where there is no such place.
        repeated_key: see `Frame`.
    """

    utc_us: int
    client: str
    direction: Direction
    size: int
    message: Message | None
    reason: str | None = None
    refused: str | None = None
    ours: bool = False
    name: str | None = None
    payload_type: int | None = None
    client_msg_id: str | None = None
    offset: int | None = None
    repeated_key: str | None = None


class PassingLines:
    """Writes them.

    Args:
        brief: a line for each.
        owner: what a JSON line calls whose frame it is: a client of the proxy, or a connection of a recording.
    """

    def __init__(self, *, brief: bool = False, owner: Literal["client", "connection"] = "client") -> None:
        self._brief = brief
        self._owner = owner
        self._rendering = Rendering()

    def members(self, passing: Passing) -> dict[str, Any]:
        """The members of its JSON line: those of `decode`, and which way, when, whose."""
        said: dict[str, Any] = {
            "at": iso_of(passing.utc_us),
            self._owner: passing.client,
            "direction": passing.direction.value,
        }
        if passing.refused is not None:
            said["refused"] = passing.refused
        if passing.ours:
            said["ours"] = True
        if passing.message is not None:
            return said | self._rendering.members(_frame(passing))
        if passing.offset is not None:
            said["offset"] = passing.offset
        said["size"] = passing.size
        said |= {"payloadType": passing.payload_type, "name": passing.name, "clientMsgId": passing.client_msg_id}
        return said | {"payload": None, "withheld": passing.reason}

    def of(self, passing: Passing) -> list[str]:
        """Its readable lines."""
        arrow = "->" if passing.direction is Direction.TO_SERVER else "<-"
        head = f"{iso_of(passing.utc_us)[11:23]} #{escaped(passing.client)} {arrow} "
        if passing.refused is not None:
            head += "REFUSED "
        if passing.message is None:
            what = f"{passing.name or 'a frame'}, {passing.size} bytes, not shown: {passing.reason}"
            lines = [escaped(what)]
        elif self._brief:
            more = f"; {repetition(_frame(passing))}" if passing.repeated_key is not None else ""
            lines = [self._rendering.brief(passing.message) + more]
        else:
            lines = self._rendering.lines(_frame(passing)._replace(offset=None))
        lines[0] = head + lines[0]
        if passing.refused is not None:
            lines.append(f"  {escaped(passing.refused)}")
        if passing.ours:
            lines.append("  this is the proxy's own answer")
        return lines


def _frame(passing: Passing) -> Frame:
    assert passing.message is not None
    return Frame(passing.message, passing.offset, passing.size, passing.repeated_key)


def colour_of(refused: str | None) -> str:
    """The colour of a frame's head on a terminal."""
    return _HEAD if refused is None else _REFUSED
