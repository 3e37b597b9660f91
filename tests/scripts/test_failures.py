from __future__ import annotations

import pytest
import typer

from anyctrader.scripts.failures import carry_out, code_of, told
from anyctrader.scripts.options import ExitCode, begin
from anyctrader.session import (
    AuditUnavailable,
    AuthenticationFailed,
    ConnectFailed,
    InvalidOrder,
    LimitExceeded,
    LiveTradingDisabled,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    ServerError,
    SessionClosed,
    SettingsError,
    WrongEnvironment,
)
from anyctrader.session.recorder import RecordingUnavailable


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError(["X is missing"]), 2),
        (ConnectFailed("no link"), 3),
        (AuthenticationFailed("refused", code="CH_CLIENT_AUTH_FAILURE"), 1),
        (AuthenticationFailed("not covered", code="CH_CTID_TRADER_ACCOUNT_NOT_FOUND"), 2),
        (AuthenticationFailed("other", code="WRONG_ENVIRONMENT"), 5),
        (ModuleNotFoundError("no", name="trustme"), 2),
        (RecordingUnavailable("r.jsonl cannot be written"), 2),
        (SessionClosed("left"), 3),
        (NotSent("not ready"), 3),
        (OutcomeUnknown("left"), 4),
        (LiveTradingDisabled("off"), 5),
        (LimitExceeded("too large"), 5),
        (WrongEnvironment("other"), 5),
        (InvalidOrder("no price"), 5),
        (AuditUnavailable("disk"), 1),
        (ServerError("MARKET_CLOSED"), 1),
        (RateLimited("BLOCKED_PAYLOAD_TYPE"), 1),
        (OSError(28, "No space left on device"), 1),
        (ValueError("x"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_each_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert code_of(error) == code


def test_what_the_server_says_is_escaped() -> None:
    assert told(ServerError("X", "bell \x07")) == "the server answered X: bell \\x07"
    assert "\x1b" not in told(ConnectFailed("\x1b[2J"))


def test_nothing_that_the_server_says_in_a_traceback_moves_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended_with(ServerError("X", "\x1b[2J\r\x9b31m"), debug=True) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert shown.count(r"X: \x1b[2J\r\x9b31m") == 2
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_a_settings_error_lists_each_problem_on_a_line() -> None:
    assert told(SettingsError(["A is missing", "B is odd"])).splitlines()[1:] == ["  - A is missing", "  - B is odd"]


def test_an_os_error_names_its_file() -> None:
    assert told(FileNotFoundError(2, "No such file or directory", "x.env")) == "x.env: No such file or directory"


def test_a_module_that_is_missing_is_told_with_the_remedy() -> None:
    for library, extras in (("trustme", "cli,fake"), ("wsproto", "cli,ws"), ("httpx", "cli")):
        assert f"pip install 'anyctrader[{extras}]'" in told(ModuleNotFoundError("no", name=library))


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_of_a_fault_of_ours_only_the_place_is_told_for_its_text_may_hold_anything() -> None:
    text = told(raised(KeyError("a-secret-value")))
    assert "a-secret-value" not in text
    assert "KeyError at test_failures.py:" in text
    assert "--debug" in text


def ended_with(error: BaseException | None, *, debug: bool = False) -> int:
    async def action() -> ExitCode:
        if error is not None:
            raise error
        return ExitCode.DONE

    with pytest.raises(typer.Exit) as ended:
        carry_out(action, debug=debug)
    return ended.value.exit_code


def test_a_command_ends_with_the_code_of_its_error_and_one_line_about_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended_with(None) == 0
    assert ended_with(ConnectFailed("demo: no answer")) == 3
    assert capsys.readouterr().err == "demo: no answer\n"


def test_a_group_of_one_is_told_as_what_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended_with(ExceptionGroup("tasks", [ExceptionGroup("more", [LiveTradingDisabled("live is off")])])) == 5
    assert capsys.readouterr().err == "live is off\n"


def test_the_traceback_is_for_whoever_asks(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended_with(ValueError("odd")) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert ended_with(ValueError("odd"), debug=True) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_is_no_traceback_either(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended_with(KeyboardInterrupt()) == 1
    assert capsys.readouterr().err == "interrupted\n"


def test_an_interruption_ahead_of_a_commands_own_handling_ends_it_no_otherwise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    app = typer.Typer()
    app.command()(interrupted)
    with pytest.raises(SystemExit) as ended:
        begin(app, args=[])
    assert (ended.value.code, capsys.readouterr().err) == (1, "interrupted\n")
