"""What a user installs: the wheel, built from the source as it is, and used away from it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("proto", "wire", "session", "fake", "scripts")
pytestmark = pytest.mark.timeout(240)  # a build and an installation, on a machine that may be busy

_NO_NETWORK = ("Could not find a version", "No matching distribution", "Temporary failure", "Connection", "Retrying")


def setuptools_is_new_enough() -> bool:
    if importlib.util.find_spec("setuptools") is None:
        return False
    from importlib.metadata import version

    return int(version("setuptools").partition(".")[0]) >= 77


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel. Built from a copy: a build leaves folders behind, and takes along what an earlier one left."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("there is no pip here to build a wheel with")
    source = tmp_path_factory.mktemp("source")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    built = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--disable-pip-version-check", "-w", str(built), "."]
    here = setuptools_is_new_enough()
    if here:
        command.append("--no-build-isolation")
    result = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=200, check=False)
    if not here and result.returncode and any(sign in result.stderr for sign in _NO_NETWORK):
        pytest.skip("a wheel needs setuptools 77 or newer, which is not installed and could not be fetched")
    assert result.returncode == 0, result.stdout + result.stderr
    (made,) = built.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def metadata(wheel: Path, names: list[str]) -> Message:
    (name,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    with zipfile.ZipFile(wheel) as archive:
        return message_from_string(archive.read(name).decode())


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it. The libraries that it needs are those of this one, ours is not."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=sys.platform != "win32")
    there = sysconfig.get_paths("venv", {"base": str(folder), "platbase": str(folder)})
    found = Path(there["scripts"]) / ("python.exe" if sys.platform == "win32" else "python")
    command = [sys.executable, "-m", "pip", "--python", str(found), "install", "--no-deps", "--no-index"]
    command += ["--no-compile", "--disable-pip-version-check", "--quiet", str(wheel)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=200)
    # A folder that a .pth file names is searched; its own .pth files, the editable install's among them, are not read.
    here = sysconfig.get_paths()
    (Path(there["purelib"]) / "libraries.pth").write_text("\n".join({here["purelib"], here["platlib"]}) + "\n")
    return found


def run(python: Path, code: str, folder: Path) -> str:
    """Runs code with the wheel: isolated from the environment variables and the working folder of this test."""
    result = subprocess.run(
        [str(python), "-I", "-W", "error", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


# What is in it


def test_nothing_lies_at_the_top_but_the_package(names: list[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"anyctrader"}
    assert len(tops) == 2
    inside = {name.split("/")[1] for name in names if name.startswith("anyctrader/")}
    assert inside == set(PACKAGES), "anyctrader itself is a namespace, with no file of its own"


def test_each_file_of_the_packages_is_in_it(names: list[str]) -> None:
    files = {
        f"anyctrader/{path.relative_to(ROOT).as_posix()}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if name.startswith("anyctrader/")} == files


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_says_that_it_is_typed(names: list[str], package: str) -> None:
    assert f"anyctrader/{package}/py.typed" in names


def test_the_schema_is_in_it_as_published_and_as_compiled(names: list[str]) -> None:
    schema = {Path(name).name for name in names if name.startswith("anyctrader/proto/")}
    assert schema >= {
        "OpenApiCommonMessages.proto",
        "OpenApiCommonModelMessages.proto",
        "OpenApiMessages.proto",
        "OpenApiModelMessages.proto",
        "VERSION",
        "openapi.binpb",
        "schema.pyi",
    }


def test_the_prices_of_the_fake_server_are_in_it(names: list[str]) -> None:
    assert "anyctrader/fake/data/eurusd_h1.csv" in names


def test_no_tests_and_no_leftovers_are_in_it(names: list[str]) -> None:
    assert not [name for name in names if "test" in Path(name).parts[0] or name.endswith((".pyc", ".orig", ".env"))]
    assert not [name for name in names if "/tests/" in name or "/logs/" in name]


def test_the_licence_goes_with_it(metadata: Message, names: list[str]) -> None:
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]


def test_the_metadata_say_what_it_needs(metadata: Message) -> None:
    assert metadata["Requires-Python"] == ">=3.11"
    needed = [one for one in metadata.get_all("Requires-Dist", []) if "extra ==" not in one]
    assert sorted(one.partition(">")[0] for one in needed) == ["anyio", "orjson", "protobuf", "pydantic-settings"]
    assert set(metadata.get_all("Provides-Extra", [])) >= {"cli", "fake", "uvloop", "ws"}
    assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")


# What it does


def test_the_packages_are_imported_from_the_wheel_and_not_from_the_source(python: Path, tmp_path: Path) -> None:
    code = """
import anyctrader.session, anyctrader.wire, anyctrader.proto.schema, anyctrader.fake.server, anyctrader.scripts.main
print(*(module.__file__ for module in (anyctrader.session, anyctrader.wire, anyctrader.proto.schema,
                                       anyctrader.fake.server, anyctrader.scripts.main)), sep="\\n")
"""
    files = run(python, code, tmp_path).splitlines()
    assert len(files) == 5
    assert all(Path(file).is_relative_to(python.parents[1]) for file in files), files


def test_a_session_reaches_a_fake_server_from_the_wheel_alone(python: Path, tmp_path: Path) -> None:
    code = """
import anyio
from anyctrader.fake import FakeServer
from anyctrader.session import Credentials, Environment, connect
from anyctrader.wire import messages as oa

async def main():
    async with FakeServer() as server:
        credentials = Credentials(Environment.DEMO, client_id=server.client_id, client_secret=server.client_secret,
                                  access_token=server.access_token)
        async with connect(Environment.DEMO, credentials, host=server.host, port=server.port,
                           ca_file=server.ca_file) as session:
            account = await session.authorize(server.account_id)
            print((await account.symbol("EURUSD")).digits)

anyio.run(main)
"""
    assert run(python, code, tmp_path) == "5\n"


def test_the_command_is_installed(python: Path, tmp_path: Path) -> None:
    (command,) = python.parent.glob("anyctrader*")
    result = subprocess.run(
        [str(command), "--version"], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("anyctrader ")


def test_pytest_finds_the_fixtures_of_the_fake_server(python: Path, tmp_path: Path) -> None:
    code = "from importlib.metadata import distribution; print(*distribution('anyctrader').entry_points, sep='\\n')"
    said = run(python, code, tmp_path)
    assert "group='pytest11'" in said
    assert "value='anyctrader.fake.plugin'" in said


def test_the_first_test_of_the_guide_passes_in_an_empty_project(wheel: Path, tmp_path: Path) -> None:
    """As a user would do it: an environment, the wheel with its extra from the registry's libraries, a file, pytest."""
    guide = (ROOT / "docs" / "fake.md").read_text(encoding="utf-8")
    (tmp_path / "test_mine.py").write_text(guide.partition("```python\n")[2].partition("```")[0], encoding="utf-8")
    venv.create(tmp_path / "env", with_pip=False, symlinks=sys.platform != "win32")
    paths = sysconfig.get_paths("venv", {"base": str(tmp_path / "env"), "platbase": str(tmp_path / "env")})
    found = Path(paths["scripts"]) / ("python.exe" if sys.platform == "win32" else "python")
    command = [sys.executable, "-m", "pip", "--python", str(found), "install", "--quiet", "--disable-pip-version-check"]
    command += ["--constraint", str(ROOT / "constraints.txt"), f"{wheel}[fake]", "pytest"]
    installed = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    if installed.returncode and any(sign in installed.stderr for sign in _NO_NETWORK):
        pytest.skip("the libraries that a wheel needs could not be fetched")
    assert installed.returncode == 0, installed.stderr
    command = [str(found), "-I", "-m", "pytest", "-q", "-W", "error", "test_mine.py"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed" in result.stdout, "on asyncio: trio is not among what was installed"
