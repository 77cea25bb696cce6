"""How Sphinx makes HTML of the documents. The source is the whole checkout, so that README and CHANGELOG are pages too
and every link means the same here and in the repository."""

from pathlib import Path
from typing import Any

from docutils.nodes import Element
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

project = "Forwarder"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md", "docs/**"]
exclude_patterns = [".*", "build", "dist", "forwarder", "tests", "typings", "schemas", "deploy", "**/__pycache__"]

myst_heading_anchors = 3

html_theme = "furo"
html_title = "Forwarder"
# Whoever opens build/docs lands on the index, which is one folder below.
html_extra_path = ["static"]
html_copy_source = False
html_show_copyright = False


def folder(app: Sphinx, environment: BuildEnvironment, node: Element, shown: Element) -> Any:
    """A link to a folder, which is one in the repository and has no page here, as its text; None for all else."""
    place = Path(app.srcdir, environment.docname).parent / node["reftarget"]
    return shown if node.get("reftype") == "myst" and place.is_dir() else None


def setup(app: Sphinx) -> None:
    app.connect("missing-reference", folder)
