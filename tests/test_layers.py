"""Who may import what, and what a module may hold: read from the source, and seen in a fresh interpreter."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("proto", "wire", "session", "fake", "scripts")

# The other packages of anyctrader that a package may import.
NEIGHBOURS = MappingProxyType(
    {
        "proto": frozenset[str](),
        "wire": frozenset({"proto"}),
        "session": frozenset({"wire"}),
        "fake": frozenset({"wire"}),
        "scripts": frozenset({"proto", "wire", "session", "fake"}),
    }
)
# What is not of the standard library.
OTHERS = MappingProxyType(
    {
        "proto": frozenset({"google", "grpc_tools"}),
        "wire": frozenset({"google", "orjson"}),
        "session": frozenset({"anyio", "orjson", "pydantic", "pydantic_settings", "dotenv", "wsproto"}),
        "fake": frozenset({"anyio", "google", "h11", "orjson", "pytest", "trustme", "wsproto"}),
        "scripts": frozenset({"anyio", "httpx", "orjson", "rich", "typer"}),
    }
)
# What is of the standard library, and is refused all the same.
REFUSED = MappingProxyType(
    {
        "wire": frozenset({"asyncio", "socket", "ssl", "threading", "time", "random", "logging", "os"}),
        "session": frozenset({"asyncio", "socket", "threading", "time", "random", "logging"}),
        "fake": frozenset({"asyncio", "socket", "threading", "logging"}),
    }
)
# The modules that may import what their package may not.
EXCEPTIONS = MappingProxyType(
    {
        ("session/clock.py", "time"): "the only module that reads time",
        ("session/reconnect.py", "random"): "the jitter of the delays",
    }
)
# What belongs to some modules of a package only.
ONLY_IN = MappingProxyType(
    {
        ("proto", "grpc_tools"): frozenset({"compile.py"}),
        ("session", "pydantic"): frozenset({"loading.py"}),
        ("session", "pydantic_settings"): frozenset({"loading.py"}),
        ("session", "dotenv"): frozenset({"loading.py"}),
        ("session", "ssl"): frozenset({"transport.py"}),
        ("session", "wsproto"): frozenset({"upgrade.py"}),
        ("fake", "wsproto"): frozenset({"upgrade.py"}),
        ("session", "os"): frozenset(
            {
                "connection_log.py",
                "disk.py",
                "halt.py",
                "journal.py",
                "letterbox.py",
                "loading.py",
                "recorder.py",
                "token_store.py",
                "writer_lock.py",
            }
        ),
        ("fake", "pytest"): frozenset({"plugin.py"}),
        ("fake", "time"): frozenset({"agenda.py"}),
    }
)
# Told everything, time included: with all that they import, they are without I/O.
PURE = (
    "session/throttle.py",
    "session/heartbeat.py",
    "session/outbox.py",
    "session/guard.py",
    "session/limits.py",
    "session/orders.py",
    "session/positions.py",
    "session/deal_memory.py",
    "session/chain.py",
    "session/reconnect.py",
    "session/respite.py",
    "fake/exchange.py",
)
IMPURE = frozenset({"anyio", "asyncio", "trio", "socket", "ssl", "threading", "time", "os", "subprocess"})

LONGEST_MODULE = 440  # "about 400"
LONGEST_CLASS = 275  # "about 250"
LONGER = MappingProxyType(
    {
        "session/supervisor.py:Supervisor": "the life of a session: one state, moved from one place only",
    }
)
LOGIC_IN_INIT = MappingProxyType(
    {
        "fake/__init__.py": "loads its names on first use: pytest imports it in every run, the extra installed or not",
        "session/__init__.py": "loads its names on first use: whoever wants one of them does not wait for all",
    }
)


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module.

    Attributes:
        module: its dotted name; of our own, `anyctrader.wire.units`.
        names: what is taken from it; empty for the module itself.
        line: where.
        at_run_time: not under `if TYPE_CHECKING`.
        inside: the functions around it, outermost first.
        relative: written with dots.
    """

    module: str
    names: tuple[str, ...]
    line: int
    at_run_time: bool
    inside: tuple[str, ...]
    relative: bool

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    @property
    def package(self) -> str | None:
        """Of our own: which of the five."""
        return self.module.split(".")[1] if self.top == "anyctrader" and "." in self.module else None


@dataclass(slots=True)
class _Reader(ast.NodeVisitor):
    package: str
    found: list[Import] = field(default_factory=list)
    typing_only: int = 0
    inside: list[str] = field(default_factory=list)

    def visit_If(self, node: ast.If) -> None:
        typing_only = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        self.typing_only += typing_only
        for child in node.body:
            self.visit(child)
        self.typing_only -= typing_only
        for child in node.orelse:
            self.visit(child)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.inside.append(node.name)
        self.generic_visit(node)
        self.inside.pop()

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.inside.append(node.name)
        self.generic_visit(node)
        self.inside.pop()

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, (), node.lineno, relative=False)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        names = tuple(alias.name for alias in node.names)
        module = node.module or ""
        if not node.level:
            self._add(module, names, node.lineno, relative=False)
            return
        start = "anyctrader" if node.level == 2 else f"anyctrader.{self.package}"
        self._add(f"{start}.{module}" if module else start, names, node.lineno, relative=True)

    def _add(self, module: str, names: tuple[str, ...], line: int, *, relative: bool) -> None:
        if module == "anyctrader":  # from .. import wire
            for name in names:
                self._add(f"anyctrader.{name}", (), line, relative=relative)
            return
        self.found.append(Import(module, names, line, not self.typing_only, tuple(self.inside), relative))


def modules(*packages: str) -> list[Path]:
    return [path for package in packages or PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imports_of(path: Path) -> tuple[Import, ...]:
    reader = _Reader(path.relative_to(ROOT).parts[0])
    reader.visit(tree_of(path))
    return tuple(reader.found)


def all_imports(*packages: str) -> Iterator[tuple[str, str, Import]]:
    """Package, module and import."""
    for path in modules(*packages):
        for found in imports_of(path):
            yield path.relative_to(ROOT).parts[0], name_of(path), found


# From the source


def test_the_source_that_is_read_is_there() -> None:
    """Guards the tests below: looking at nothing finds nothing wrong."""
    for package in PACKAGES:
        assert len(modules(package)) > 1, package
    assert sum(1 for _ in all_imports()) > 500


def test_packages_import_only_the_packages_below_them() -> None:
    wrong = [
        f"{module}:{found.line}: {found.module}"
        for package, module, found in all_imports()
        if found.package not in (None, package, *NEIGHBOURS[package])
    ]
    assert wrong == []


def test_packages_import_only_the_libraries_that_are_theirs() -> None:
    wrong = [
        f"{module}:{found.line}: {found.module}"
        for package, module, found in all_imports()
        if found.top not in sys.stdlib_module_names | OTHERS[package] | {"anyctrader", "_typeshed"}
    ]
    assert wrong == []


def test_no_time_chance_socket_task_or_log_where_there_must_be_none() -> None:
    wrong = [
        f"{module}:{found.line}: {found.module}"
        for package, module, found in all_imports(*REFUSED)
        if found.top in REFUSED[package] and (module, found.top) not in EXCEPTIONS
    ]
    assert wrong == []


def test_every_exception_is_still_needed() -> None:
    found = {(module, found.top) for _, module, found in all_imports("session")}
    assert set(EXCEPTIONS) <= found


def test_some_libraries_belong_to_single_modules() -> None:
    places: dict[tuple[str, str], set[str]] = {key: set() for key in ONLY_IN}
    for package, module, found in all_imports():
        if (package, found.top) in ONLY_IN:
            places[package, found.top].add(module.partition("/")[2])
    assert places == dict(ONLY_IN)


def test_pydantic_is_imported_only_while_settings_are_loaded() -> None:
    found = [found for _, module, found in all_imports("session") if found.top in ("pydantic", "pydantic_settings")]
    assert found
    assert not [one for one in found if one.at_run_time and not one.inside]


def test_wsproto_is_imported_only_when_a_websocket_is_opened() -> None:
    found = [found for _, module, found in all_imports("session", "fake") if found.top == "wsproto"]
    assert found
    assert not [one for one in found if one.at_run_time and not one.inside]


def test_the_pure_modules_import_nothing_that_does_io_nor_do_those_that_they_import() -> None:
    wrong = []
    for start in PURE:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            module = waiting.pop()
            if module in seen:
                continue
            seen.add(module)
            package = module.partition("/")[0]
            for found in imports_of(ROOT / module):
                if not found.at_run_time:
                    continue
                if found.top in IMPURE or found.module == "anyctrader.session.clock":
                    wrong.append(f"{start}: {module}:{found.line}: {found.module}")
                waiting += _files_of(found, package)
    assert wrong == []


def _files_of(found: Import, package: str) -> list[str]:
    """The modules of the same package that an import loads."""
    if found.package != package:
        return []
    parts = found.module.split(".")[2:]
    if parts:
        return [f"{package}/{parts[0]}.py"]
    return [f"{package}/{name}.py" for name in found.names if (ROOT / package / f"{name}.py").exists()]


def test_imports_inside_a_package_are_relative() -> None:
    # The commands run as `python scripts/NAME.py` too, where nothing relative can be resolved.
    wrong = [
        f"{module}:{found.line}: {found.module}"
        for package, module, found in all_imports("proto", "wire", "session", "fake")
        if found.top == "anyctrader" and not found.relative
    ]
    assert wrong == []


def test_nobody_uses_the_private_names_of_another_package() -> None:
    wrong = []
    for path in modules():
        package = path.relative_to(ROOT).parts[0]
        theirs: set[str] = set()
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                theirs |= {alias.asname or alias.name for alias in node.names if _of_another(node, package)}
        for found in imports_of(path):
            if found.package in (None, package):
                continue
            private = [part for part in (*found.module.split("."), *found.names) if _is_private(part)]
            wrong += [f"{name_of(path)}:{found.line}: {part}" for part in private]
        for node in ast.walk(tree_of(path)):
            if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
                continue
            if node.value.id in theirs and _is_private(node.attr):
                wrong.append(f"{name_of(path)}:{node.lineno}: {node.value.id}.{node.attr}")
    assert wrong == []


def _of_another(node: ast.Import | ast.ImportFrom, package: str) -> bool:
    if isinstance(node, ast.Import):
        return False
    if node.level == 2:
        return True
    return (
        node.level == 0 and (node.module or "").startswith("anyctrader.") and f".{package}" not in (node.module or "")
    )


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def test_only_the_loading_of_settings_reads_the_environment() -> None:
    wrong = [
        f"{name_of(path)}:{node.lineno}"
        for path in modules("proto", "wire", "session", "fake")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "getenvb")
        if name_of(path) != "session/loading.py"
    ]
    assert wrong == []


def test_packages_that_are_libraries_print_nothing() -> None:
    wrong = [
        f"{name_of(path)}:{node.lineno}"
        for path in modules("wire", "session", "fake")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "input")
    ]
    assert wrong == []


# What modules hold

_MAKERS = frozenset({"dict", "list", "set", "deque", "defaultdict", "OrderedDict", "Counter", "bytearray", "count"})


def _is_mutable(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp):
        return True
    if isinstance(value, ast.Call):
        made = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        return made in _MAKERS
    return False


def _bodies(tree: ast.Module) -> Iterator[tuple[str, list[ast.stmt]]]:
    """The module's own statements, those under its conditions, and those of its classes."""
    waiting: list[tuple[str, list[ast.stmt]]] = [("", tree.body)]
    while waiting:
        where, body = waiting.pop()
        yield where, body
        for node in body:
            if isinstance(node, ast.ClassDef):
                waiting.append((f"{where}{node.name}.", node.body))
            elif isinstance(node, ast.If | ast.Try):
                waiting.append((where, [*node.body, *node.orelse, *getattr(node, "finalbody", [])]))


def test_no_module_and_no_class_holds_state_that_can_change() -> None:
    wrong = []
    for path in modules():
        for where, body in _bodies(tree_of(path)):
            for node in body:
                if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) or not _is_mutable(node.value):
                    continue
                target = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
                if target not in ("__all__", "__slots__", "__match_args__"):
                    wrong.append(f"{name_of(path)}:{node.lineno}: {where}{target}")
        wrong += [
            f"{name_of(path)}:{node.lineno}: global {', '.join(node.names)}"
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.Global)
        ]
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_init_files_hold_no_logic(package: str) -> None:
    path = ROOT / package / "__init__.py"
    if name_of(path) in LOGIC_IN_INIT:
        return
    body = tree_of(path).body
    assert ast.get_docstring(tree_of(path)), "an __init__.py says what its package is"
    allowed = (ast.Import, ast.ImportFrom)
    rest = [node for node in body[1:] if not isinstance(node, allowed)]
    assert [ast.unparse(node).partition(":")[0].partition(" =")[0] for node in rest] == ["__all__"]


@pytest.mark.parametrize("package", PACKAGES)
def test_all_lists_names_that_are_there_and_none_that_is_private(package: str) -> None:
    loaded = __import__(f"anyctrader.{package}", fromlist=["__all__"])
    for name in loaded.__all__:
        assert not name.startswith("_")
        assert package == "proto" or getattr(loaded, name) is not None, name
    assert list(loaded.__all__) == sorted(set(loaded.__all__), key=list(loaded.__all__).index), "each name once"


def test_modules_and_classes_keep_their_size() -> None:
    long = {}
    for path in modules():
        source = path.read_text(encoding="utf-8")
        if (lines := len(source.splitlines())) > LONGEST_MODULE:
            long[name_of(path)] = lines
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_CLASS:
                    long[f"{name_of(path)}:{node.name}"] = lines
    assert {name: lines for name, lines in long.items() if name not in LONGER} == {}
    assert set(LONGER) <= set(long), "an exception that is no longer needed"


# In a fresh interpreter


def loaded_by(code: str, folder: Path) -> set[str]:
    """The modules that are there after this code, in an interpreter of its own."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import sys\n{code}\nprint(*sys.modules, sep='\\n')"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=150,
        check=True,
    )
    return set(result.stdout.split())


def test_wire_alone_brings_neither_loop_nor_socket_nor_session(tmp_path: Path) -> None:
    loaded = loaded_by("import anyctrader.wire\nfrom anyctrader.wire import messages, units, catalog, events", tmp_path)
    absent = ("anyio", "asyncio", "trio", "sniffio", "socket", "ssl", "selectors", "logging", "random", "pydantic")
    assert not loaded.intersection(absent)
    ours = {name.split(".")[1] for name in loaded if name.startswith("anyctrader.")}
    assert ours == {"proto", "wire"}


def test_wire_loads_nothing_that_the_libraries_below_it_have_not_loaded_already(tmp_path: Path) -> None:
    below = {
        found.module
        for _, _, found in all_imports("proto", "wire")
        if found.at_run_time and found.top not in {"anyctrader", "grpc_tools", *REFUSED["wire"]}
    }
    before = loaded_by("\n".join(f"import {module}" for module in sorted(below)), tmp_path)
    after = loaded_by("import anyctrader.wire", tmp_path)
    assert {name for name in after - before if name.partition(".")[0] != "anyctrader"} == set()


def test_session_brings_neither_the_fake_nor_what_only_settings_need(tmp_path: Path) -> None:
    loaded = loaded_by("from anyctrader.session import *", tmp_path)
    assert not loaded.intersection(("pydantic", "pydantic_settings", "dotenv", "trio", "typer", "rich", "trustme"))
    assert {name.split(".")[1] for name in loaded if name.startswith("anyctrader.")} == {"proto", "wire", "session"}


def test_session_alone_loads_none_of_its_modules(tmp_path: Path) -> None:
    loaded = loaded_by("import anyctrader.session", tmp_path)
    assert not any(name.startswith("anyctrader.session.") for name in loaded)


def test_the_fake_brings_nothing_of_the_session(tmp_path: Path) -> None:
    loaded = loaded_by("import anyctrader.fake.server, anyctrader.fake.plugin, anyctrader.fake.blocking", tmp_path)
    assert {name.split(".")[1] for name in loaded if name.startswith("anyctrader.")} == {"proto", "wire", "fake"}
