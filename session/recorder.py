"""Writes a recording while connections live: each frame is taken at once, and written by a thread soon after.

It is never in anybody's way. Where the disk does not keep up, frames are left out, counted, and told in the recording.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import anyio
import anyio.to_thread

from ..wire import JsonCodec, ProtobufCodec
from ..wire.redaction import Redaction
from . import clock
from .disk import Disk
from .errors import CTraderError
from .kept_frame import KeptFrame, kept_of
from .recording import Closed, Direction, FrameRecord, Lost, Moment, Opened, line_of, looks_like_recording

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

    from ..wire import Codec, Message
    from .environments import CodecName, Endpoint, Environment

__all__ = ["Recorder", "RecordingUnavailable", "Track", "open_recorder"]

_BOUND: Final = 32_000_000
"""Bytes of frames that may wait for the disk: two of the largest, or seconds of the busiest stream of quotes."""

_GROUP: Final = 1_000_000  # bytes written at once, about: what waits behind them waits some milliseconds
_RETRY_S: Final = 0.2  # a disk that fails at once must not be asked all the time
_FRAME_COST: Final = 200  # bytes that a frame takes beside its body, about


class RecordingUnavailable(CTraderError):
    """The file of a recording cannot be used; the text says what to do."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A frame as it was taken, with all its secrets: it leaves memory only through a `Redaction`."""

    at: Moment
    track: Track
    direction: Direction
    body: bytes
    refused: str | None
    ours: bool


@dataclass(frozen=True, slots=True)
class _Ended:
    """The end of a connection as it was told: a reason may quote what a server said."""

    at: Moment
    track: Track
    reason: str


_Item: TypeAlias = _Seen | _Ended | Opened


class Track:
    """One connection in a recording. Made by `Recorder.begin`.

    Attributes:
        connection: its name in the recording.
        codec: reads its frames for the recording.
        redaction: takes the secrets out of them.
    """

    def __init__(self, recorder: Recorder, connection: str, *, codec: Codec, redaction: Redaction) -> None:
        self.connection = connection
        self.codec = codec
        self.redaction = redaction
        self._recorder = recorder

    def saw(
        self,
        direction: Direction,
        body: bytes,
        *,
        at: Moment | None = None,
        refused: str | None = None,
        ours: bool = False,
    ) -> None:
        """A frame passed. Never waits, never raises.

        Args:
            direction: which way.
            body: of the frame, as it travelled.
            at: when; None for now.
            refused: why the guard took it out.
            ours: it was put in by us, in the server's place.
        """
        self._recorder.take(_Seen(at if at is not None else now(), self, direction, body, refused, ours), len(body))

    def ended(self, reason: str) -> None:
        """The connection is over."""
        self._recorder.take(_Ended(now(), self, reason), 0)

    def watched_codec(self) -> Codec:
        """A codec for this connection's own link, which shows the recorder each frame that it makes or reads."""
        return _WatchedProtobuf(self) if self.codec.name == "protobuf" else _WatchedJson(self)


class Recorder:
    """A recording that is being written. Made by `open_recorder`.

    Attributes:
        path: its file.
        frames: how many frames were written.
        lost: how many were left out.
        trouble: why the last attempt to write failed, or None.
    """

    def __init__(self, path: Path, *, disk: Disk, bound: int, secrets_known: Iterable[str]) -> None:
        self.path = path
        self.frames = 0
        self.lost = 0
        self.trouble: str | None = None
        self._disk = disk
        self._bound = bound
        # One for all connections: a token is one whichever of them quotes it.
        self._redaction = Redaction(secrets_known)
        self._run = secrets.token_hex(4)
        self._count = 0
        self._items: deque[tuple[_Item, int]] = deque()
        self._waiting = 0
        self._untold = 0  # of those lost, what the recording does not say yet
        self._wake = anyio.Event()
        self._closing = False
        self._finished = anyio.Event()
        self._scope = anyio.CancelScope(shield=True)
        self._limiter = anyio.CapacityLimiter(1)  # its own: a disk that hangs here holds up no other work in threads

    def begin_at(self, endpoint: Endpoint, *, environment: Environment, codec: CodecName) -> Track:
        """Begins the record of a session's link. See `begin`."""
        return self.begin(
            environment=environment.value,
            codec=codec,
            server=f"{endpoint.host}:{endpoint.port}",
            transport=endpoint.transport,
            delimiting=endpoint.delimiting,
            via="session",
        )

    def begin(
        self, *, environment: str, codec: str, server: str, via: str, transport: str = "tcp", delimiting: str = "length"
    ) -> Track:
        """A connection begins. See `recording.Opened` for what is told of it."""
        self._count += 1
        connection = f"{self._run}-{self._count}"
        opened = Opened(
            at=now(),
            connection=connection,
            environment=environment,
            codec=codec,
            transport=transport,
            delimiting=delimiting,
            server=server,
            via=via,
        )
        self.take(opened, 0)
        reader: Codec = ProtobufCodec() if codec == "protobuf" else JsonCodec()
        return Track(self, connection, codec=reader, redaction=self._redaction)

    def take(self, item: _Item, size: int) -> None:
        """Puts something into the queue, or counts it as lost where the queue is full. Never waits."""
        cost = size + _FRAME_COST
        if self._waiting + cost > self._bound and isinstance(item, _Seen) and self._items:
            self.lost += 1
            self._untold += 1
            return
        self._items.append((item, cost))
        self._waiting += cost
        self._wake.set()

    async def _write(self) -> None:
        try:
            with self._scope:
                while True:
                    closing = self._closing
                    if self._items or self._untold:
                        await self._write_group()
                        if closing and self.trouble is not None:
                            break
                    elif closing:
                        break
                    else:
                        await self._wake.wait()
                        self._wake = anyio.Event()
        finally:
            self._finished.set()

    async def _close(self, within_s: float) -> None:
        self._closing = True
        self._wake.set()
        self._scope.deadline = anyio.current_time() + within_s
        with anyio.CancelScope(shield=True):  # bounded by the deadline
            await self._finished.wait()
        self.lost += sum(isinstance(item, _Seen) for item, _ in self._items)

    async def _write_group(self) -> None:
        group: list[_Item] = []
        size = 0
        while self._items and size < _GROUP:
            item, cost = self._items.popleft()
            group.append(item)
            size += cost
        untold = self._untold if not self._items else 0  # at their place: behind what came before them
        frames = sum(isinstance(item, _Seen) for item in group)
        try:
            await anyio.to_thread.run_sync(self._append, group, untold, limiter=self._limiter, abandon_on_cancel=True)
        except OSError as error:
            self.trouble = f"{self.path} cannot be written ({error.strerror or error})"
            self.lost += frames
            self._untold += frames
            if not self._closing:
                await anyio.sleep(_RETRY_S)
        else:
            self.trouble = None
            self.frames += frames
            self._untold -= untold
        finally:
            self._waiting -= size

    def _append(self, group: list[_Item], untold: int) -> None:
        lines = [line_of(_recorded(item)) for item in group]
        if untold:
            lines.append(line_of(Lost(at=now(), frames=untold)))
        data = b"".join(lines)
        if self.trouble is not None:
            data = b"\n" + data  # what failed before may have ended within a line
        descriptor = self._disk.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            while data:
                data = data[self._disk.write(descriptor, data) :]
        finally:
            os.close(descriptor)


def now() -> Moment:
    """This moment, by both clocks."""
    return Moment(clock.utc_us(), clock.monotonic_ns())


@asynccontextmanager
async def open_recorder(
    path: Path, *, secrets: Iterable[str] = (), bound: int = _BOUND, disk: Disk | None = None, close_s: float = 5.0
) -> AsyncIterator[Recorder]:
    """Opens a recording to write to, at its end if it is there. Leaving it writes what still waits, within `close_s`.

    Args:
        path: its file; made, for its owner only, if need be.
        secrets: those that are known beforehand, the settings' own: they are covered wherever they turn up.
        bound: how many bytes may wait for the disk.
        disk: the way to the operating system.
        close_s: how long leaving may take where the disk hangs.

    Raises:
        RecordingUnavailable: the file cannot be written, or is something else than a recording.
    """
    disk = disk if disk is not None else Disk()
    try:
        await anyio.to_thread.run_sync(_prepare, path, disk)
    except OSError as error:
        raise RecordingUnavailable(f"{path} cannot be written: {error.strerror or error}") from error
    recorder = Recorder(path, disk=disk, bound=bound, secrets_known=secrets)
    writing = anyio.create_task_group()
    await writing.__aenter__()
    writing.start_soon(recorder._write, name="recorder")
    try:
        yield recorder
    finally:
        await recorder._close(close_s)
        # The writer has ended, so this waits for nothing; and it is not told of an error, so it wraps none.
        await writing.__aexit__(None, None, None)


def _prepare(path: Path, disk: Disk) -> None:
    """Makes the file, or sees that it is a recording and that a new line can begin at its end."""
    descriptor = disk.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        if not path.is_file():  # a pipe or a terminal: nothing to look at, and nothing to go on with
            return
        size = os.fstat(descriptor).st_size
        if not size:
            return
        with open(descriptor, "rb", closefd=False) as file:
            if not looks_like_recording(file.read(64)):
                raise RecordingUnavailable(f"{path} is there, and is no recording: name another file")
            file.seek(size - 1)
            torn = file.read(1) != b"\n"
        if torn:  # whoever wrote it was cut off: what there is of that line stays, and stands by itself
            disk.write(descriptor, b"\n")
    finally:
        os.close(descriptor)


def _recorded(item: _Item) -> Opened | FrameRecord | Closed:
    """What is kept of an item."""
    match item:
        case _Ended():
            reason = item.track.redaction.text(item.reason)
            return Closed(at=item.at, connection=item.track.connection, reason=reason)
        case _Seen():
            return _recorded_frame(item)
    return item


def _recorded_frame(seen: _Seen) -> FrameRecord:
    track = seen.track
    try:
        kept = kept_of(seen.body, codec=track.codec, redaction=track.redaction)
    except Exception:
        # A mistake of ours must not end a recording, and what it was about may hold anything.
        kept = KeptFrame(reason="it could not be looked at")
    return FrameRecord(
        at=seen.at,
        connection=track.connection,
        direction=seen.direction,
        size=len(seen.body),
        body=kept.body,
        payload_type=kept.payload_type,
        client_msg_id=kept.client_msg_id,
        masked=kept.masked,
        reason=kept.reason,
        sha256=hashlib.sha256(seen.body).hexdigest() if kept.body is None else None,
        refused=None if seen.refused is None else track.redaction.text(seen.refused),
        ours=seen.ours,
    )


class _WatchedProtobuf(ProtobufCodec):
    """The codec of our own link, which shows what it makes and reads. Whoever does not record uses the plain one."""

    def __init__(self, track: Track) -> None:
        self._track = track

    def encode(self, message: Message) -> bytes:
        body = super().encode(message)
        self._track.saw(Direction.TO_SERVER, body)
        return body

    def decode(self, body: bytes) -> Message:
        self._track.saw(Direction.TO_CLIENT, body)
        return super().decode(body)

    def read_spots(self, bodies: Sequence[bytes], start: int) -> list[Any]:
        spots = super().read_spots(bodies, start)
        for position in range(start, start + len(spots)):
            self._track.saw(Direction.TO_CLIENT, bodies[position])
        return spots


class _WatchedJson(JsonCodec):
    """Likewise for JSON."""

    def __init__(self, track: Track) -> None:
        super().__init__()
        self._track = track

    def encode(self, message: Message) -> bytes:
        body = super().encode(message)
        self._track.saw(Direction.TO_SERVER, body)
        return body

    def decode(self, body: bytes) -> Message:
        self._track.saw(Direction.TO_CLIENT, body)
        return super().decode(body)
