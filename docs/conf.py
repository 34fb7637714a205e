"""How the documentation is built."""

project = "amlsdk"
copyright = "2026, the amlsdk maintainers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "amlsdk"
exclude_patterns = ["_build"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_inherit_docstrings = True
myst_heading_anchors = 3
nitpicky = False
# Types of other layers are named in signatures without a page of their own.
suppress_warnings = ["ref.python"]
