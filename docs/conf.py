"""How Sphinx makes HTML of the documents. The source is the whole checkout, so that README and CHANGELOG are pages too
and every link means the same here and in the repository."""

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
