"""What all tests share."""

from hypothesis import settings

from amlsdk.testing.preloading import import_all

# The same examples every time; and none fails because the machine had something else to do.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

import_all()
