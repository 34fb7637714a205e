"""How long `import amlsdk` takes in a new process, and which third-party modules it loads."""

import json
import statistics
import subprocess
import sys
import time

REPEATS = 9
LOADED = """
import sys
before = set(sys.modules)
import amlsdk
roots = {name.partition('.')[0] for name in set(sys.modules) - before}
print(' '.join(sorted(roots - set(sys.stdlib_module_names) - {'amlsdk'})))
"""


def main() -> dict:
    """Time new interpreters with and without the import, in turn."""
    run("import amlsdk")  # compiled and in the page cache from here on
    pairs = [(run("pass"), run("import amlsdk")) for _ in range(REPEATS)]
    seconds = statistics.median(imported for _, imported in pairs) - statistics.median(bare for bare, _ in pairs)
    loaded = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True).stdout
    return {"import_s": seconds, "third_party_modules": loaded.split()}


def run(code: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begun


if __name__ == "__main__":
    print(json.dumps(main()))
