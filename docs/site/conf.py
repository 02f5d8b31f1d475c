"""Settings of Sphinx for the documentation site: ``make docs``, or ``sphinx-build -W -c docs/site docs site``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from msadg import __version__
from pages import write_pages

project = "msadg"
author = "the msadg authors"
copyright = "the msadg authors, Apache-2.0"  # noqa: A001
version = release = __version__
html_title = f"msadg {version}"

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
root_doc = "index"
exclude_patterns = ["site/**", "examples/**"]
# Published tables begin where their writer's headings do; `results/README.md` is the page that introduces them.
suppress_warnings = ["myst.header"]
toc_object_entries = False
python_maximum_signature_line_length = 90
python_use_unqualified_type_names = True
maximum_signature_line_length = 90

smartquotes = False  # --set is not an en dash

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_search_summary = False  # it would fetch every page found, which a browser forbids to a site opened as files
html_theme_options: dict[str, Any] = {"navigation_with_keys": True, "top_of_page_buttons": []}


def setup(app: Any) -> None:
    """Make the generated pages before Sphinx looks which pages there are."""
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir)))
