"""The committed output is what the compiler makes of the sources, to the byte."""

import shutil

import pytest

from anyctrader.proto import compile as compiler


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the package's folder that a test may damage."""
    for name in (*compiler.SOURCES, compiler.DESCRIPTORS, compiler.STUB):
        shutil.copy(compiler.HERE / name, tmp_path)
    monkeypatch.setattr(compiler, "HERE", tmp_path)
    return tmp_path


def test_the_committed_output_is_current(capsys):
    assert compiler.main(["--check"]) == 0
    assert capsys.readouterr() == ("", "")


def test_compiling_twice_gives_the_same_bytes():
    assert compiler.fresh(compiler.HERE) == compiler.fresh(compiler.HERE)


@pytest.mark.parametrize("name", [compiler.DESCRIPTORS, compiler.STUB])
def test_check_names_the_file_that_is_stale_and_leaves_it_alone(folder, name, capsys):
    damaged = (folder / name).read_bytes() + b"\n"
    (folder / name).write_bytes(damaged)
    assert compiler.main(["--check"]) == 1
    assert capsys.readouterr().err.splitlines() == [f"{folder / name} is stale: run python -m anyctrader.proto.compile"]
    assert (folder / name).read_bytes() == damaged


def test_check_takes_a_missing_file_for_stale(folder, capsys):
    (folder / compiler.STUB).unlink()
    assert compiler.main(["--check"]) == 1
    assert compiler.STUB in capsys.readouterr().err


def test_compiling_makes_stale_output_current(folder):
    (folder / compiler.DESCRIPTORS).unlink()
    (folder / compiler.STUB).write_text("")
    assert compiler.stale(folder) == [compiler.DESCRIPTORS, compiler.STUB]
    assert compiler.main([]) == 0
    assert compiler.stale(folder) == []
    assert compiler.main(["--check"]) == 0


def test_each_kind_of_change_to_a_source_makes_stale_what_shows_it(folder):
    source = folder / "OpenApiMessages.proto"
    text = source.read_text()
    source.write_text(text.replace("required string clientSecret = 3;", "required string clientSecret = 33;"))
    assert compiler.stale(folder) == [compiler.DESCRIPTORS]
    source.write_text(text.replace("// Places an order.", "// Places one order."))
    assert compiler.stale(folder) == [compiler.STUB]
    source.write_text(text.replace("string clientSecret", "string secretOfClient"))
    assert compiler.stale(folder) == [compiler.DESCRIPTORS, compiler.STUB]


def test_sources_that_do_not_compile_leave_the_output_as_it_was(folder, capfd):
    (folder / "OpenApiMessages.proto").write_text('syntax = "proto2"; message {')
    before = (folder / compiler.STUB).read_bytes()
    assert compiler.main([]) == 1
    assert "OpenApiMessages.proto" in capfd.readouterr().err
    assert (folder / compiler.STUB).read_bytes() == before


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("enum E { None = 0; }", "E.None cannot be an attribute in Python"),
        ("enum E { real = 0; }", "E.real cannot be an attribute in Python"),
        ("message M { optional float f = 1; }", "M.f: type 2 is new to the stub"),
    ],
)
def test_what_the_stub_cannot_say_is_refused_by_name(folder, capsys, source, reason):
    path = folder / "OpenApiCommonModelMessages.proto"
    path.write_text(path.read_text() + source)
    assert compiler.main([]) == 1
    assert capsys.readouterr().err == f"{reason}\n"
