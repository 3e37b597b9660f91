"""What a type checker makes of programs that use the schema."""

import subprocess
import sys
from pathlib import Path

import pytest

from anyctrader.proto import schema as oa

HEAD = """\
from anyctrader.proto import schema as oa
from anyctrader.proto.schema import *

order = oa.ProtoOANewOrderReq(ctidTraderAccountId=1, symbolId=1, orderType=1, tradeSide=2, volume=1000)
event = ProtoOAExecutionEvent()
spot = ProtoOASpotEvent()
"""

GOOD = """\
oa.ProtoOANewOrderReq(
    ctidTraderAccountId=1, symbolId=1, orderType=ProtoOAOrderType.MARKET, tradeSide=2, volume=1, stopLoss=None
)
number: int = order.orderType
side: ProtoOATradeSide = ProtoOATradeSide(order.tradeSide)
price: float = event.order.executionPrice
order.stopLoss = 1
order.timeInForce = ProtoOATimeInForce.GOOD_TILL_DATE
body: bytes = ProtoMessage(payloadType=51, payload=b"").payload
spot.trendbar.add(low=1).volume = 3
lows: list[int] = [bar.low for bar in ProtoOASpotEvent(trendbar=[ProtoOATrendbar(low=1)]).trendbar]
ids: list[int] = list(ProtoOASubscribeSpotsReq(symbolId=[1, 2]).symbolId)
event.order.CopyFrom(ProtoOAOrder())
present: bool = event.HasField("order")
event.ClearField("deal")
again: oa.ProtoOANewOrderReq = ProtoOANewOrderReq.FromString(order.SerializeToString())
kind = oa.ENUM_FIELDS["ProtoOAOrder"]["orderType"]
cls = oa.MESSAGES["ProtoOAOrder"]
default: int = oa.ENUMS["ProtoOATradeSide"]["BUY"].value
"""

BAD = {
    "a wrong field in the constructor": ("oa.ProtoOANewOrderReq(amount=1)", "call-arg"),
    "a wrong type in the constructor": ('oa.ProtoOANewOrderReq(volume="1000")', "arg-type"),
    "a float for a volume": ("order.volume = 10.5", "assignment"),
    "a positional value": ("oa.ProtoOANewOrderReq(1)", "call-arg"),
    "a field that is not there": ("order.amount", "attr-defined"),
    "presence of a field that is not there": ('order.HasField("amount")', "arg-type"),
    "presence of a repeated field": ('spot.HasField("trendbar")', "arg-type"),
    "clearing a field that is not there": ('order.ClearField("amount")', "arg-type"),
    "assigning a message": ("event.order = ProtoOAOrder()", "misc"),
    "assigning a list": ("spot.trendbar = spot.trendbar", "misc"),
    "a wrong message": ("ProtoOAExecutionEvent(order=ProtoOADeal())", "arg-type"),
    "a wrong element": ("spot.trendbar.append(ProtoOADeal())", "arg-type"),
    "an enum member that is not there": ("ProtoOAOrderType.ICEBERG", "attr-defined"),
    "an integer read as a member": ("side: ProtoOATradeSide = order.tradeSide", "assignment"),
    "a message that is not published": ("oa.ProtoOAv1PnLChangeEvent", "attr-defined"),
    "writing to a table": ('oa.ENUMS["ProtoOATradeSide"] = ProtoOATradeSide', "index"),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> dict[str, list[str]]:
    """One run of mypy over the good program and all bad ones: what it says, by file."""
    folder = tmp_path_factory.mktemp("programs")
    # mypy does not follow the mapping of folders to packages in an editable install; a link it does
    (folder / "anyctrader").mkdir()
    (folder / "anyctrader" / "proto").symlink_to(Path(oa.__file__).parent, target_is_directory=True)
    programs = {"good": GOOD} | {f"bad_{number}": source for number, (source, _) in enumerate(BAD.values())}
    for name, source in programs.items():
        (folder / f"{name}.py").write_text(HEAD + source + "\n")
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "mypy",
                "--strict",
                "--config-file=",
                "--no-error-summary",
                "--no-pretty",
            ),
            *("--namespace-packages", "--explicit-package-bases", f"--cache-dir={folder / 'cache'}"),
            *(f"{name}.py" for name in programs),
        ],
        check=False,
        cwd=folder,
        env={"MYPYPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.stderr == ""
    lines: dict[str, list[str]] = {name: [] for name in programs}
    for line in done.stdout.splitlines():
        lines[Path(line.split(":")[0]).stem].append(line)
    return lines


def test_a_program_that_uses_the_schema_well_passes(report):
    assert report["good"] == []


@pytest.mark.parametrize("number", range(len(BAD)), ids=list(BAD))
def test_a_program_that_does_not_is_stopped_at_the_line_at_fault(report, number):
    source, code = list(BAD.values())[number]
    errors = [line for line in report[f"bad_{number}"] if ": error:" in line]
    assert len(errors) == 1, (source, report[f"bad_{number}"])
    assert errors[0].split(":")[1] == str(HEAD.count("\n") + 1)
    assert errors[0].endswith(f"[{code}]")


def test_the_good_program_runs():
    exec(compile(HEAD + GOOD, "good.py", "exec"), {})
