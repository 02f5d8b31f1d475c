"""Follow every internal link of a built site, with its anchor: ``python docs/site/check_links.py site``.

A page, picture, script, style or anchor that is not there is an error, and so is anything that a page would fetch from
the network when it is opened. Links to other sites are counted and not followed.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {"img": "src", "script": "src", "source": "src", "iframe": "src", "video": "src"}
"""Tag -> the attribute by which it loads something as the page is opened."""

CSS_URL = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""")


@dataclass
class Page(HTMLParser):
    """The links of one page, and the anchors that it has."""

    text: str
    followed: list[str] = field(default_factory=list)
    """Where a reader may go."""
    loaded: list[str] = field(default_factory=list)
    """What the browser fetches to show the page."""
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag's links and its id."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.followed.append(values["href"])
        elif tag == "link" and set(values.get("rel", "").split()) & {"stylesheet", "icon", "preload", "preconnect"}:
            self.loaded.append(values.get("href", ""))
        elif tag in FETCHED and FETCHED[tag] in values:
            self.loaded.append(values[FETCHED[tag]])


@cache
def page_at(path: Path) -> Page:
    """Read a page once, however many link to it."""
    return Page(path.read_text(encoding="utf-8"))


def faults_of(site: Path) -> tuple[list[str], int, int]:
    """Return one sentence for each fault, the number of internal links, and that of external ones."""
    faults: list[str] = []
    num_internal = num_external = 0
    for path in sorted(site.rglob("*.html")):
        page = page_at(path)
        faults += [f"{path}: loads {link} from the network" for link in page.loaded if _is_elsewhere(link)]
        for link in (*page.followed, *page.loaded):
            if _is_elsewhere(link) or urlsplit(link).scheme:
                num_external += 1
                continue
            num_internal += 1
            if fault := _fault_of(path, link):
                faults.append(f"{path}: {fault}")
    for path in site.rglob("*.css"):
        links = [first or second for first, second in CSS_URL.findall(path.read_text(encoding="utf-8"))]
        faults += [f"{path}: loads {link} from the network" for link in links if _is_elsewhere(link)]
    return faults, num_internal, num_external


def _is_elsewhere(link: str) -> bool:
    return link.startswith(("http:", "https:", "//"))


def _fault_of(path: Path, link: str) -> str:
    parts = urlsplit(link)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return f"links to {link}, which is not there"
    anchor = unquote(parts.fragment)
    if anchor and target.suffix == ".html" and anchor not in page_at(target).anchors:
        return f"links to {link}, where there is no such anchor"
    return ""


def main(site: Path) -> int:
    """Print what is wrong with a site; 1 if something is."""
    faults, num_internal, num_external = faults_of(site)
    for fault in faults:
        print(fault, file=sys.stderr)
    if not num_internal:
        print(f"{site}: no page with a link; build the site first (make docs)", file=sys.stderr)
        return 1
    pages = len(list(site.rglob("*.html")))
    print(f"{site}: {pages} pages, {num_internal} internal links, {len(faults)} faults; {num_external} external links")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
