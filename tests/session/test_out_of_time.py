"""A server that answers only that it took too long has not refused: changes and raw requests are found out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake.injection import Fault
from anyctrader.session import OutcomeUnknown, open_desk
from anyctrader.wire import messages as oa

from .rig import a_server, desk_settings, facts_of, saying, side_of
from .test_doubts import SOON, Kind, every_kind, resolved, something_open, until_resolved

pytestmark = pytest.mark.anyio


class OutOfTime(Fault):
    """What is asked is done; the answer says that it took too long, and what else would tell of it is withheld.

    Args:
        in_event: the answer is an execution event with that code.
    """

    def __init__(self, *, in_event: bool) -> None:
        self._in_event = in_event
        self._answered = False

    def outgoing(self, frame: Any) -> tuple[Any, ...]:
        if frame.name != "ProtoOAExecutionEvent" or frame.client_msg_id is None:
            return (frame,)
        if self._answered:
            return ()
        self._answered = True
        account_id, code = frame.payload.ctidTraderAccountId, "TIMEOUT_ERROR"
        said: Any = oa.ProtoOAErrorRes(errorCode=code, ctidTraderAccountId=account_id)
        if self._in_event:
            accepted = oa.ProtoOAExecutionType.ORDER_ACCEPTED
            said = oa.ProtoOAExecutionEvent(errorCode=code, ctidTraderAccountId=account_id, executionType=accepted)
        return (saying(frame, said),)


@every_kind
@pytest.mark.parametrize("in_event", [False, True], ids=["error", "event"])
async def test_what_took_too_long_is_in_doubt_until_the_server_tells_of_it(
    tmp_path: Path, kind: Kind, in_event: bool
) -> None:
    async with a_server() as server:
        side = side_of(server, timings=SOON)
        async with open_desk(desk_settings(tmp_path, side)) as desk:
            ids = await something_open(server, desk)
            with server.faults.inject(OutOfTime(in_event=in_event)):
                with pytest.raises(OutcomeUnknown, match="TIMEOUT_ERROR"):
                    await kind.ask(desk, *ids)
                await until_resolved(desk, tmp_path)  # nobody but the session asks for it
            assert kind.done(desk)
    assert resolved(tmp_path) == [(kind.name, "done")]
    facts = facts_of(tmp_path, message=kind.name)
    assert facts == ["intent", "sent", "outcome_unknown", "resolved"]
