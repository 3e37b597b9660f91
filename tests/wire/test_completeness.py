from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from anyctrader.wire import messages as oa
from anyctrader.wire.completeness import is_complete, missing_fields

from .generated import complete


def test_missing_required_fields_are_named_by_their_path_at_any_depth() -> None:
    event = complete(oa.ProtoOAExecutionEvent)
    assert missing_fields(event, most=10) == ()
    event.ClearField("ctidTraderAccountId")
    event.order.orderId = 1
    assert missing_fields(event, most=10) == (
        "ctidTraderAccountId",
        "order.tradeData",
        "order.orderType",
        "order.orderStatus",
    )
    answer = oa.ProtoOAReconcileRes(order=[complete(oa.ProtoOAOrder), complete(oa.ProtoOAOrder)])
    answer.order[1].tradeData.ClearField("symbolId")
    assert missing_fields(answer, most=10) == ("ctidTraderAccountId", "order.1.tradeData.symbolId")


def test_of_millions_of_missing_fields_the_first_are_named() -> None:
    answer = oa.ProtoOASymbolsListRes(symbol=[oa.ProtoOALightSymbol() for _ in range(1_000)])
    assert missing_fields(answer, most=3) == ("ctidTraderAccountId", "symbol.0.symbolId", "symbol.1.symbolId")


@pytest.mark.parametrize("size", [0, 4096])
@pytest.mark.parametrize("count", [1, 40_000])
def test_a_message_is_complete_whatever_its_size_if_nothing_is_missing_at_any_depth(size: int, count: int) -> None:
    answer: Any = oa.ProtoOADealListRes(ctidTraderAccountId=1, hasMore=False)
    answer.deal.extend([complete(oa.ProtoOADeal)] * count)
    assert is_complete(answer, size)
    for index in sorted({count // 2, count - 1}, reverse=True):
        answer.deal[index].closePositionDetail.SetInParent()
        assert not is_complete(answer, size)
        assert missing_fields(answer, most=1) == (f"deal.{index}.closePositionDetail.entryPrice",)
        answer.deal[index].CopyFrom(complete(oa.ProtoOADeal))


class ProtoOASymbolByIdRes:
    """As a message of its name, but that it must not be asked as a whole: of millions of parts that takes seconds."""

    def __init__(self, *symbols: oa.ProtoOASymbol) -> None:
        self.symbol = symbols
        self.archivedSymbol = ()

    def HasField(self, name: str) -> bool:
        return True


def test_many_parts_are_not_all_asked_where_the_first_or_the_last_of_them_lacks_a_field() -> None:
    whole, empty = complete(oa.ProtoOASymbol), oa.ProtoOASymbol()
    for symbols in ([empty, *[whole] * 20_000], [*[whole] * 20_000, empty]):
        answer: Any = ProtoOASymbolByIdRes(*symbols)
        assert not is_complete(answer, 4096)
        assert missing_fields(answer, most=1) == (f"symbol.{symbols.index(empty)}.symbolId",)


NAMES = """
import resource, time
from anyctrader.wire import JsonCodec, ProtobufCodec, UndecodablePayload
from anyctrader.wire import messages as oa
from google.protobuf.internal import api_implementation

# protobuf's Python runtime takes a hundred times as long for each: there it is only the answer that is looked at.
count = 20_000 if api_implementation.Type() == "python" else 800_000
resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, 8 << 20))
for payload_type, head, part in (2134, b"\\x10\\x01\\x20\\x01", b"\\x1a\\x00"), (2125, b"\\x10\\x01", b"\\x1a\\x00"):
    body = oa.ProtoMessage(payloadType=payload_type, payload=head + part * count).SerializeToString()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    try:
        ProtobufCodec().decode(body)
    except UndecodablePayload as fault:
        print(len(fault.missing_fields), len(str(fault)) < 600)
    assert time.process_time() - began < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000
"""


def test_a_frame_of_as_many_empty_parts_as_are_parsed_is_one_error_that_names_the_first_missing_fields() -> None:
    # In a process of its own: it was the whole interpreter that ended.
    run = subprocess.run([sys.executable, "-c", NAMES], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "10 True\n10 True\n", "")
