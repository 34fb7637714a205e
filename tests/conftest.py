"""What all tests share."""

import importlib
import pkgutil

from hypothesis import settings

import amlsdk

# The same examples every time; and none fails because the machine had something else to do.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

# pytest makes a syntax tree of each module of amlsdk as it is imported, since it takes the whole package for one of its
# plugins. Two threads that do so at once fail in Python 3.11 (github.com/python/cpython/issues/106905), and amlsdk
# imports where it needs: so all is imported before the first thread is begun.
for module in pkgutil.walk_packages(amlsdk.__path__, "amlsdk."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
