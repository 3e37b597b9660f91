"""Runs one fuzzer under atheris until it is told to stop: python tests/fuzz/run.py framing -runs=10000000

Everything behind the fuzzer's name goes to libFuzzer. Needs atheris, which is no dependency of the project.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import atheris

HERE = Path(__file__).parent


def main() -> None:
    name, *options = sys.argv[1:]
    sys.path.insert(0, str(HERE.parent.parent))
    # What the coverage is asked of: codecs and framing have fuzzers of their own, and being watched costs time.
    watched = ["connection", "dialogue"] if name.startswith("connection") else ["framing", name]
    watched += {"protobuf_codec": ["codecs", "envelope", "text"], "json_codec": ["codecs", "json_fields"]}.get(name, [])
    with atheris.instrument_imports(include=[f"anyctrader.wire.{module}" for module in watched]):
        check = importlib.import_module(f"tests.fuzz.{name}").check
    found = HERE / "found" / name  # the first folder is written to: what is committed is not
    found.mkdir(parents=True, exist_ok=True)
    prefix = f"-artifact_prefix={HERE}/failed-{name}-"
    atheris.Setup([sys.argv[0], prefix, *options, str(found), str(HERE / "corpus" / name)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
