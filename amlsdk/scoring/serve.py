"""Begins the service of a bundle: `python -I -S <root>/runtime/serve.py`.

It is copied into each bundle, and uses nothing but the standard library until it has found the bundle's own packages.
"""

import os
import site
import sys


def find_packages(root: str) -> None:
    """Let what the bundle brings be imported: amlsdk's part first, then packages, the scoring script's folder last."""
    site.addsitedir(os.path.join(root, "site"))  # noqa: PTH118  # pathlib costs 5 ms of the start
    sys.path.insert(0, os.path.join(root, "runtime"))  # noqa: PTH118
    sys.path.append(os.path.join(root, "app"))  # noqa: PTH118


if __name__ == "__main__":
    ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    find_packages(ROOT)

    from pathlib import Path

    from amlsdk.scoring.worker import main

    main(root=Path(ROOT))
