"""How the documentation is built."""

from __future__ import annotations

import inspect
from typing import Any

project = "amlsdk"
copyright = "2026, the amlsdk maintainers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "amlsdk"
exclude_patterns = ["_build"]
# Docstrings are written with single backticks.
default_role = "code"
autodoc_member_order = "bysource"
# Objects are made of parts, whose methods are theirs as far as a user is concerned.
autodoc_default_options = {
    "members": True,
    "inherited-members": "object,tuple,BaseException,Exception,ValueError,LookupError,ImportError",
}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_inherit_docstrings = True
myst_heading_anchors = 3
nitpicky = False
# Types of other layers are named in signatures without a page of their own.
suppress_warnings = ["ref.python"]


def setup(app: Any) -> None:
    """Read docstrings of properties as they are."""
    app.connect("autodoc-process-docstring", _as_written, priority=600)


def _as_written(_app: Any, what: str, _name: str, obj: Any, _options: object, lines: list[str]) -> None:
    # napoleon takes what stands before a colon in the first line of a property for its type.
    if what == "property" and obj.__doc__:
        lines[:] = [*inspect.cleandoc(obj.__doc__).splitlines(), ""]
