"""How Sphinx makes HTML of the documents. The source is the whole checkout, so that README and CHANGELOG are pages too
and every link means the same here and in the repository."""

from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

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


def links_to_folders(app: Sphinx, document: nodes.document) -> None:
    """A link to a folder, which is one in the repository and has no page here, becomes its text."""
    for link in list(document.findall(pending_xref)):
        place = Path(app.srcdir, link["refdoc"]).parent / link["reftarget"]
        if link["reftype"] == "myst" and link.get("refdomain") != "doc" and place.is_dir():
            link.replace_self(link.children)


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", links_to_folders)
