"""A page that leads to every table of ``docs/results``, which commands of ours wrote there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pages.prose import title


def pages(docs: Path) -> Iterator[tuple[str, str]]:
    """Yield that page."""
    found = sorted(path for path in (docs / "results").glob("*/*.md"))
    listed = "\n".join(f"{path.parent.name}: {path.stem} <../results/{path.parent.name}/{path.stem}>" for path in found)
    yield (
        "tables.md",
        f"{title('All tables')}\n"
        "As `msadg report` and `msadg stress` wrote them. The commands, and what the tables say and do not say, are\n"
        "in the [results](../results/README.md).\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n",
    )
