"""What the proxy shows, and that a fault in the looking ends nobody's connection."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from anyctrader.scripts import passing
from anyctrader.scripts.options import Format
from anyctrader.scripts.passing import Screen
from anyctrader.session import recorder
from anyctrader.session.proxy import Passage
from anyctrader.session.recorder import now
from anyctrader.session.recording import Direction, FrameRecord
from anyctrader.wire import Codec, JsonCodec, Message, ProtobufCodec, UnknownPayload, encode_frame
from anyctrader.wire import messages as oa
from anyctrader.wire.redaction import Redaction

from .test_proxy import Place, a_client, a_proxy

pytestmark = pytest.mark.anyio

SECRET = "CANARY-0123456789-abcdef"


def deep(levels: int) -> bytes:
    """A version request with so many lists in each other beside it, a secret in the innermost."""
    inside = b'"pin=' + SECRET.encode() + b'"'
    return b'{"payloadType":2104,"clientMsgId":"deep","payload":{"new":%s}}' % (b"[" * levels + inside + b"]" * levels)


async def speak(place: Place, screen: Screen, said: bytes) -> None:
    """One client says what is hard to look at; another one, who was there before, is answered all the time."""
    place.seen.passed = screen.passed  # type: ignore[method-assign]
    async with anyio.create_task_group() as tasks, a_client(place) as innocent, a_client(place) as other:
        tasks.start_soon(screen.show)
        assert (await innocent.ask(oa.ProtoOAVersionReq(), "before")).version
        await other.stream.send(encode_frame(said))
        assert (await other.answer("deep")).version
        await screen.flush()
        assert (await innocent.ask(oa.ProtoOAVersionReq(), "after")).version
        await screen.flush()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("levels", [480, 700, 1000])
async def test_json_of_any_depth_costs_no_other_client_its_connection(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], levels: int
) -> None:
    screen = Screen("json", output=Format.JSON, secrets=[SECRET])
    async with a_proxy(tmp_path, codec="json") as place:
        await speak(place, screen, deep(levels))
    frames = [orjson.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert {frame.get("clientMsgId") for frame in frames} == {"before", "deep", "after"}
    assert not [frame for frame in frames if "withheld" in frame]
    kept = [each for each in place.recording() if isinstance(each, FrameRecord) and each.client_msg_id == "deep"]
    assert [(each.masked, SECRET in str(each.body)) for each in kept] == [(True, False), (False, False)]


async def test_a_frame_that_a_fault_of_ours_keeps_from_being_looked_at_is_told_and_passed_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = passing.kept_of

    def broken(body: bytes, **how: Any) -> Any:
        if b'"deep"' in body:
            raise RuntimeError(SECRET)
        return looked_at(body, **how)

    monkeypatch.setattr(passing, "kept_of", broken)
    monkeypatch.setattr(recorder, "kept_of", broken)
    said = deep(5)
    screen = Screen("json", output=Format.TEXT, secrets=[SECRET], brief=True)
    async with a_proxy(tmp_path, codec="json") as place:
        await speak(place, screen, said)
    out, told = capfd.readouterr()
    digest = hashlib.sha256(said).hexdigest()
    assert f"{len(said)} bytes with SHA-256 {digest}, could not be looked at (RuntimeError)" in " ".join(told.split())
    assert f"{len(said)} bytes, not shown: it could not be looked at" in out
    assert SECRET not in out + told
    kept = [each for each in place.recording() if isinstance(each, FrameRecord) and each.sha256 is not None]
    assert (kept[0].sha256, kept[0].size, kept[0].reason) == (digest, len(said), "it could not be looked at")


@pytest.mark.parametrize("codec", ["protobuf", "json"])
async def test_of_a_frame_that_is_withheld_its_type_and_its_id_are_told(
    capfd: pytest.CaptureFixture[str], codec: str
) -> None:
    shapes: dict[str, Codec] = {"protobuf": ProtobufCodec(), "json": JsonCodec()}
    inside = SECRET.encode() if codec == "protobuf" else {"x": SECRET}
    said = shapes[codec].encode(Message(UnknownPayload(9999, inside), client_msg_id=f"7 {SECRET}"))
    for output in (Format.JSON, Format.TEXT):
        screen = Screen(codec, output=output, secrets=[SECRET])
        screen.passed(Passage(now(), 7, Direction.TO_SERVER, said))
        await screen.flush()
    line, text = capfd.readouterr().out.splitlines()
    frame = orjson.loads(line)
    assert (frame["payloadType"], frame["name"], frame["clientMsgId"]) == (9999, "Unknown(9999)", "7 ***")
    assert f"Unknown(9999), {len(said)} bytes, not shown: its payload type is not in the schema" in text


async def test_a_fault_in_a_reason_or_a_refusal_is_told_without_them(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: Redaction, _text: str) -> str:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(passing.Redaction, "text", broken)
    screen = Screen("json", output=Format.TEXT, secrets=[])
    screen.ended(7, f"it said {SECRET}")
    screen.passed(Passage(now(), 7, Direction.TO_SERVER, deep(1), refused=f"of {SECRET}"))
    await screen.flush()
    out, told = capfd.readouterr()
    assert "client 7 is gone: why could not be looked at (RuntimeError, a fault of ours)" in " ".join(told.split())
    assert "REFUSED" in out
    assert SECRET not in out + told
