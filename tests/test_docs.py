"""What the docs say: their examples run, their names exist, their links lead somewhere."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import pytest

from anyctrader.fake import BlockingServer, ExchangeSettings, FakeServer, Host, ServerSettings, Timing, blocking_server
from anyctrader.fake import faults as fault_classes
from anyctrader.fake.exchange_settings import Delays
from anyctrader.fake.plugin import __all__ as PLUGIN_NAMES
from anyctrader.scripts.main import COMMANDS
from anyctrader.scripts.options import ExitCode
from anyctrader.session import (
    Credentials,
    Desk,
    Endpoint,
    Environment,
    EnvironmentSettings,
    OrderState,
    Settings,
    Venue,
    open_desk,
)
from anyctrader.session import errors as session_errors
from anyctrader.session.keys import known_names
from anyctrader.wire import Message, ProtobufCodec, encode_frame
from anyctrader.wire import messages as oa

pytestmark = pytest.mark.timeout(180)  # most of these start interpreters of their own, on a machine that may be busy

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = (README, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md")))
OWN = ("README.md", "architecture.md", "audit.md", "fake.md", "orders.md", "tools.md", "venue.md")


def text_of(name: str) -> str:
    return (README if name == "README.md" else ROOT / "docs" / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def cells(text: str, heading: str) -> list[str]:
    """The first cells of the first table below a heading."""
    below = f"\n{text}".partition(f"\n{heading}\n")[2]
    assert below, heading
    table = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert table is not None, heading
    return [row.split("|")[1].strip() for row in table[0].splitlines()[2:]]


def names(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


# The examples


@pytest.fixture
def environments() -> Iterator[dict[str, str]]:
    """The settings, as environment variables, of a demo and a live server that run."""
    with ExitStack() as stack:
        variables: dict[str, str] = {}
        for host in Host:
            settings = ServerSettings(host=host, timing=Timing.instant(), strict=True)
            server: BlockingServer = stack.enter_context(blocking_server(settings))
            said = {
                "APPLICATION_ID": server.client_id,
                "APPLICATION_SECRET": server.client_secret,
                "ACCESS_TOKEN": server.access_token,
                "ACCOUNT_ID": str(server.account_id),
                "HOST": server.host,
                "PORT": str(server.port),
                "CA_FILE": str(server.ca_file),
            }
            variables |= {f"CTRADER_{host.name}_{key}": value for key, value in said.items()}
        yield variables


def run_program(code: str, folder: Path, variables: dict[str, str]) -> str:
    """What a program prints; its warnings are errors."""
    program = folder / "example.py"
    program.write_text(code, encoding="utf-8")
    clean = {key: value for key, value in os.environ.items() if "CTRADER" not in key}
    result = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=folder,
        env=clean | variables,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_example_of_the_readme_has_ten_lines_and_trades(tmp_path: Path, environments: dict[str, str]) -> None:
    (code,) = blocks(text_of("README.md"), "python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    said = run_program(code, tmp_path, environments)
    assert re.fullmatch(r"bought at 1\.\d+, position \d+; live is off\n", said)
    assert (tmp_path / "logs/ctrader/order_audit.jsonl").exists()


def test_the_same_order_on_live_is_refused_as_the_readme_says(tmp_path: Path, environments: dict[str, str]) -> None:
    (code,) = blocks(text_of("README.md"), "python")
    code = code.replace("Environment.DEMO, MarketOrder", "Environment.LIVE, MarketOrder")
    with pytest.raises(AssertionError, match="LiveTradingDisabled"):
        run_program(code, tmp_path, environments)
    audit = (tmp_path / "logs/ctrader/order_audit.jsonl").read_text()
    assert '"fact":"refused"' in audit
    assert '"fact":"sent"' not in audit


def test_the_example_of_an_order_runs(tmp_path: Path, environments: dict[str, str]) -> None:
    code = blocks(text_of("orders.md"), "python")[0]
    said = run_program(f"{code}\nimport anyio\nprint(anyio.run(buy).state)\n", tmp_path, environments)
    assert said == "OrderState.FILLED\n"


def module_of(name: str, code: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(code, f"{name}.py", "exec", dont_inherit=True), module.__dict__)
    return module


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The paper engine of docs/venue.md, as a module."""
    module = ModuleType("paper")
    monkeypatch.setitem(sys.modules, "paper", module)  # dataclasses look their module up
    exec(compile(blocks(text_of("venue.md"), "python")[0], "paper.py", "exec", dont_inherit=True), module.__dict__)
    return module


def test_the_paper_engine_runs_and_prints_what_the_page_says(tmp_path: Path) -> None:
    said = run_program(blocks(text_of("venue.md"), "python")[0], tmp_path, {}).strip()
    assert f"`{said}`" in text_of("venue.md")
    assert Decimal(said) < 0


@pytest.mark.anyio
async def test_the_paper_engine_is_a_venue_and_so_is_the_desk(paper: Any) -> None:
    assert isinstance(paper.PaperVenue([]), Venue)
    assert issubclass(Desk, Venue)


@pytest.mark.anyio
async def test_the_strategy_of_the_page_runs_on_a_desk_as_it_runs_on_paper(paper: Any, tmp_path: Path) -> None:
    exchange = ExchangeSettings(delays=Delays.none())
    async with FakeServer(ServerSettings(timing=Timing.instant(), exchange=exchange, strict=True)) as server:
        credentials = Credentials(
            Environment.DEMO,
            client_id=server.client_id,
            client_secret=server.client_secret,
            access_token=server.access_token,
            account_id=server.account_id,
        )
        endpoint = Endpoint(server.host, server.port, server.ca_file)
        demo = EnvironmentSettings(Environment.DEMO, credentials, endpoint=endpoint)
        server.set_price(1, bid=119_500, ask=119_510)
        with anyio.fail_after(30):
            async with open_desk(Settings({Environment.DEMO: demo}, log_folder=tmp_path)) as desk:
                result = await paper.there_and_back(desk, Environment.DEMO)
                assert desk.positions(Environment.DEMO) == ()
    assert result < Decimal("-0.10"), "the spread, and here the commission"


def test_the_strategy_runs_on_real_settings_without_a_change(tmp_path: Path, environments: dict[str, str]) -> None:
    engine, program = blocks(text_of("venue.md"), "python")
    (tmp_path / "paper.py").write_text(engine, encoding="utf-8")
    assert Decimal(run_program(program, tmp_path, environments)) < 0


def test_the_tests_of_the_fake_page_pass(tmp_path: Path) -> None:
    first, mine, client, script = blocks(text_of("fake.md"), "python")
    assert len([line for line in first.splitlines() if line]) == 10
    (tmp_path / "test_first.py").write_text(first, encoding="utf-8")
    (tmp_path / "test_my_trading.py").write_text(mine, encoding="utf-8")
    (tmp_path / "test_my_client.py").write_text(client, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 passed" in result.stdout, "the first of them on both backends"
    command = [sys.executable, "-W", "error", "-c", script]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout[:10]) == (0, "127.0.0.1 "), result.stderr


def test_an_audit_is_checked_as_the_page_says(tmp_path: Path, environments: dict[str, str]) -> None:
    run_program(blocks(text_of("README.md"), "python")[0], tmp_path, environments)
    (check,) = blocks(text_of("audit.md"), "python")
    assert run_program(check, tmp_path, {}) == ""
    audit = tmp_path / "logs/ctrader/order_audit.jsonl"
    changed = audit.read_bytes().replace(b'"side":"BUY"', b'"side":"SELL"', 1)
    *_, shell = blocks(text_of("audit.md"), "sh")
    if shutil.which("sha256sum") and shutil.which("sh"):
        said = subprocess.run(["sh", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        assert f'"hash":"{said.split()[0]}"' in audit.read_text().splitlines()[-1]
    audit.write_bytes(changed)
    line_number = changed.split(b'"side":"SELL"')[0].count(b"\n") + 1
    assert f"order_audit.jsonl:{line_number}: changed" in run_program(check, tmp_path, {})


@pytest.mark.timeout(300)  # mypy reads all of anyctrader, and finds nothing prepared in a fresh clone
def test_the_examples_pass_a_strict_type_check(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    links = ROOT / ".types" / "anyctrader"  # as the Makefile has them, so that what mypy knows from there is used
    links.mkdir(parents=True, exist_ok=True)
    for package in ("proto", "wire", "session", "fake", "scripts"):
        if not (links / package).is_symlink():
            (links / package).symlink_to(Path("..") / ".." / package, target_is_directory=True)
    examples = tmp_path / "examples"
    examples.mkdir()
    engine, strategy = blocks(text_of("venue.md"), "python")
    first, mine, client, script = blocks(text_of("fake.md"), "python")
    (readme,) = blocks(text_of("README.md"), "python")
    written = {
        "readme": readme,
        "orders": blocks(text_of("orders.md"), "python")[0],
        "audit": blocks(text_of("audit.md"), "python")[0],
        "paper": engine,
        "strategy": strategy,
        "test_first": first,
        "test_my_trading": mine,
        "test_my_client": client,
        "blocking": script,
    }
    for name, code in written.items():
        (examples / f"{name}.py").write_text(code, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "mypy", *(str(examples / f"{name}.py") for name in written)],
        cwd=ROOT,
        env=os.environ | {"MYPYPATH": str(examples)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_piece_of_python_compiles(page: Path) -> None:
    for code in blocks(page.read_text(encoding="utf-8"), "python"):
        compile(code, page.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


# The names


def test_the_command_table_lists_the_commands_that_there_are() -> None:
    listed = [cell.strip("`").split() for cell in cells(text_of("README.md"), "## Commands")]
    assert [words[:2] for words in listed] == [["anyctrader", name] for name in COMMANDS]
    assert all((ROOT / "scripts" / f"{entry.module}.py").exists() for entry in COMMANDS.values())


def test_the_exit_codes_are_those_that_the_commands_use() -> None:
    text = text_of("README.md").partition("\n## Commands\n")[2]
    listed = re.findall(r"^\| (\d) \|", text, re.MULTILINE)
    assert listed == [str(code.value) for code in ExitCode]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_key_that_a_page_names_is_read(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = set(re.findall(r"\b(?:CTRADER_[A-Z_]*[A-Z]|[A-Z]+_CTRADER)\b(?!_?…)", text))
    assert found <= known_names()


def test_each_make_target_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        code = "\n".join(names(text := page.read_text(encoding="utf-8")) + blocks(text, "sh"))
        assert set(re.findall(r"\bmake ([a-z]+)\b", code)) <= targets, page.name


def test_the_states_of_an_order_are_those_of_the_page() -> None:
    assert [cell.strip("`") for cell in cells(text_of("orders.md"), "## States")] == list(OrderState.__members__)


def test_the_errors_of_the_page_are_those_that_there_are() -> None:
    page = text_of("orders.md")
    listed = {cell.removeprefix("· ").strip("`") for cell in cells(page, "## What can go wrong")}
    family = {
        name
        for name in session_errors.__all__
        if issubclass(getattr(session_errors, name), session_errors.RequestFailed) and name != "RequestFailed"
    }
    assert listed == family
    assert set(session_errors.__all__) <= set(re.findall(r"\w+", page))


def test_the_modes_of_the_page_are_those_that_there_are() -> None:
    from anyctrader.session import Mode

    listed = cells(text_of("architecture.md"), "## How demo and live are kept apart")
    assert [cell.strip("`") for cell in listed] == [mode.value for mode in Mode]


def written_facts() -> set[str]:
    """The facts that the source writes into the audit files."""
    facts: set[str] = set()
    for path in (*sorted((ROOT / "session").glob("*.py")), *sorted((ROOT / "scripts").glob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            places = {"note": 2, "record": 2, "_entry": 2, "Remark": 1, "_say": 1, "Fact": 3, "on_record": 3}
            texts = [arg.value for arg in node.args[: places.get(called, 0)] if isinstance(arg, ast.Constant)]
            facts |= {text for text in texts[:1] if isinstance(text, str)}
    return facts


def test_the_facts_of_the_page_are_those_that_are_written() -> None:
    page = text_of("audit.md")
    listed = {name for cell in cells(page, "## The facts") for name in names(cell)}
    about_files = page.partition("And about the files themselves:")[2].partition("\n\n")[0]
    listed |= set(names(about_files))
    assert written_facts() <= listed
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "session").glob("*.py"))
    assert {fact for fact in listed if f'"{fact}"' not in source} == set()


def test_the_faults_of_the_page_are_those_that_there_are() -> None:
    text = text_of("fake.md").partition("Faults last as long")[2].partition("\n## ")[0]
    table = [row for row in text.splitlines() if row.startswith("|")][2:]
    listed = [name for row in table for name in names(row.split("|")[2])]
    assert sorted(listed) == sorted(fault_classes.__all__)


def test_the_fixtures_and_calls_of_the_fake_page_exist() -> None:
    page = text_of("fake.md")
    fixtures = [cell.strip("`") for cell in cells(page, "## In tests")]
    assert sorted(fixtures) == sorted(name for name in PLUGIN_NAMES if name.startswith("ctrader_"))
    for cell in cells(page, "## Making things happen"):
        for call in names(cell):
            assert hasattr(FakeServer, call.partition("(")[0]), call
    for symbol in ExchangeSettings().symbols:
        assert symbol.name in page


def test_the_calls_of_the_venue_page_are_those_of_the_protocol() -> None:
    listed = [
        re.findall(r"\w+(?=\()", cell)[0]
        for cell in cells(text_of("venue.md"), "# Another engine behind the same calls")
    ]
    assert sorted(listed) == sorted(name for name in vars(Venue) if not name.startswith("_"))


# The pages themselves


def anchors(text: str) -> set[str]:
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        assert linked.is_relative_to(ROOT), target
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), target


def test_the_readme_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)#\s]+)", text_of("README.md")))
    assert {page.relative_to(ROOT).as_posix() for page in PAGES} - {"README.md"} <= linked


@pytest.mark.parametrize("name", OWN)
def test_pages_are_plain_text(name: str) -> None:
    text = text_of(name)
    assert text.startswith("# ")
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\t" not in text
    assert not re.findall(r"[ ]+$", text, re.MULTILINE)
    assert not [char for char in text if ord(char) > 0xFFFF], "no pictures among the letters"


def test_the_changelog_has_what_is_unreleased_on_top() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", changelog, re.MULTILINE)[0] == "Unreleased"


def test_the_program_of_the_tools_page_shows_every_frame_of_a_capture_and_its_damage(tmp_path: Path) -> None:
    [program] = blocks(text_of("tools.md").partition("## In a program")[2], "python")
    beat = encode_frame(ProtobufCodec().encode(Message(oa.ProtoHeartbeatEvent())))
    spot = encode_frame(ProtobufCodec().encode(Message(oa.ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=2, bid=3))))
    for data, shown in (
        (beat, ["Heart"]),
        (beat + spot, ["Heart", "Spot"]),
        (beat + spot[:-2], ["Heart", "damage at"]),
    ):
        (tmp_path / "capture.bin").write_bytes(data)
        lines = run_program(program, tmp_path, {}).splitlines()
        assert len(lines) == len(shown)
        assert all(word in line for word, line in zip(shown, lines, strict=True))
