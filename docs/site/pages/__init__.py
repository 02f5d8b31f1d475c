"""The pages of the documentation site that are made from the code: methods, commands, settings, reference.

``write_pages(docs)`` writes them below ``docs/generated``; Sphinx (``docs/site/conf.py``) calls it before it reads.
None of these modules needs Sphinx, so that the tests can look at the pages where the ``docs`` extra is not installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pages import commands, methods, reference, settings, tables

FOLDER = "generated"
"""Below the folder of the documentation; git ignores it."""


def all_pages(docs: Path) -> Iterator[tuple[str, str]]:
    """Yield (path below ``FOLDER``, Markdown) of every page."""
    yield from methods.pages()
    yield from commands.pages()
    yield from settings.pages()
    yield from reference.pages()
    yield from tables.pages(docs)


def write_pages(docs: Path) -> list[Path]:
    """Write every page that changed, delete those that are no longer made, and return them all."""
    folder = docs / FOLDER
    written = []
    for name, text in all_pages(docs):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
        written.append(path)
    for path in set(folder.rglob("*.md")) - set(written):
        path.unlink()
    return written
