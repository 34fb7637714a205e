"""Begin, under a name that no script's own module has."""

import importlib.util
import os
import sys

NAME = "_amlsdk_probe"

if __name__ == "__main__":
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # pathlib costs 10 ms
    spec = importlib.util.spec_from_file_location(
        NAME,
        f"{folder}/__init__.py",
        submodule_search_locations=[folder],
    )
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules[NAME] = module
        spec.loader.exec_module(module)
        importlib.import_module(f"{NAME}.main").main()
