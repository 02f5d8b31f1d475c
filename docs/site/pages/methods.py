"""One page for each method of ``METHODS``: its module's docstring, its settings, and how to run it."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pages.prose import cell, code_cell, markdown_of, table, title
from pages.settings import settings_table

TWO_SOURCES = "--source vignettes-products vignettes-films --target vignettes-sitcom"


def pages() -> Iterator[tuple[str, str]]:
    """Yield the overview, and the page of each method."""
    from msadg.methods import METHODS, load_method

    rows = [
        (f"[`{name}`]({name}.md)", cell(_first_sentence(sys.modules[load_method(name).__module__].__doc__)))
        for name in METHODS
    ]
    listed = "\n".join(METHODS)
    yield (
        "methods/index.md",
        f"{title('Methods')}\n{table(('name', 'what'), rows)}\n"
        "S2LIF's masks (`+mask`) and the second paper's regulariser (`+sv`) can be put on any method that has\n"
        "encoders: `mask = {}` and `variation = {}` in a row of a recipe; see [settings of a run](../settings.md).\n"
        "What came of them on real and simulated data is in the [results](../../results/README.md).\n\n"
        f"```{{toctree}}\n:hidden:\n\n{listed}\n```\n",
    )
    for name in METHODS:
        yield f"methods/{name}.md", method_page(name)


def method_page(name: str) -> str:
    """Return the page of one method."""
    from msadg.methods import load_method

    kind: Any = load_method(name)
    parts = [
        title(name),
        f"{{py:class}}`{kind.__module__}.{kind.__qualname__}`\n",
        markdown_of(sys.modules[kind.__module__].__doc__),
        title("What it needs", 2),
        "\n".join(f"- {line}" for line in _facts(kind)) + "\n",
        title("Settings", 2),
        f"In a recipe under `[methods.{name}]`, or on the command line as `--set methods.{name}.KEY=VALUE`.\n",
        settings_table(kind.Config),
        title("Run it", 2),
        _how_to_run(name),
    ]
    if rows := list(_rows_of(name)):
        parts += [title("Rows that use it", 2), table(("recipe", "row"), rows)]
    return "\n".join(parts)


def _facts(kind: Any) -> Iterator[str]:
    from msadg.methods.method import ClosedForm

    fitted = issubclass(kind, ClosedForm)
    yield "It is fitted in one go, not by gradient." if fitted else "It is trained by gradient."
    if kind.min_source_domains > 1:
        yield f"It compares source domains, so it needs {kind.min_source_domains} of them or more."
    if kind.deterministic:
        yield "The seed changes nothing: one run stands for all seeds."
    if kind.has_masks:
        yield "It has masks of its own, so `+mask` is refused."
    if kind.has_variation:
        yield "It has sequential variation regularisation of its own, so `+sv` is refused."
    if kind.evidence is not _method().evidence:
        yield "`msadg predict` can say what each feature of each step adds to its logits."


@cache
def _method() -> Any:
    from msadg.methods.method import Method

    return Method


def _how_to_run(name: str) -> str:
    if name == "mllm":
        return (
            "It is asked, not trained: `msadg benchmark --recipe zero_shot` has its rows, and downloads the models.\n"
        )
    needs, domains = "", TWO_SOURCES
    if name == "invariant_fusion":
        # Its recipe simulates text, too; beside real text in one folder, stores of simulated sound would differ.
        needs, domains = " --recipe invariant_fusion", "--source simulated-a simulated-b --target simulated-c"
    elif name in ("mult", "almt", "mad"):
        needs = " --video simulated --audio simulated"
    return f"```sh\nmsadg train --method {name}{needs} {domains} -o runs/{name}\n```\n"


def _rows_of(method: str) -> Iterator[tuple[str, str]]:
    for recipe, rows in _recipes().items():
        used = [name for name, row in rows.items() if row.get("method") == method]
        if used:
            yield code_cell(recipe), ", ".join(code_cell(row) for row in used)


@cache
def _recipes() -> dict[str, dict[str, Any]]:
    """Rows of every recipe, by its name."""
    packaged = Path(str(files("msadg"))) / "recipes"
    folder = packaged if packaged.is_dir() else Path(__file__).parents[3] / "recipes"
    read = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml"))}
    return {name: recipe["rows"] for name, recipe in read.items() if "rows" in recipe}


def _first_sentence(docstring: str | None) -> str:
    text = " ".join((docstring or "").strip().split("\n\n")[0].split())
    return text.partition(". ")[0].rstrip(".") + "."
