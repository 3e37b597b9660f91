"""What an import costs: python bench/importing.py base|ours|connect|desk|settings

Prints a JSON line with the seconds of the import alone, in this process. `base` is what any client on anyio and
protobuf has to load. `ours` loads its names when they are used: `connect` and `desk` are what the two ways in need.
"""

from __future__ import annotations

import importlib
import json
import sys
import time

NEEDED = {
    "base": ("anyio", "google.protobuf.message", "google.protobuf.message_factory", "google.protobuf.descriptor_pool"),
    "ours": ("anyctrader.session",),
    "connect": ("anyctrader.session.client",),
    "desk": ("anyctrader.session.desk",),
    "settings": ("pydantic_settings",),
}


def main() -> None:
    names = NEEDED[sys.argv[1]]
    started = time.perf_counter()
    for name in names:
        importlib.import_module(name)
    print(json.dumps({"events": 1, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
