"""A recipe as the TOML that ``load_recipe`` reads."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msadg.protocols.recipe import Recipe

BARE = re.compile(r"[A-Za-z0-9_-]+")
"""Keys that need no quotes."""

TABLES = (
    ("training",),
    ("data",),
    ("search",),
    ("methods",),
    ("methods", "*"),
    ("rows",),
    ("rows", "*"),
    ("rows", "*", "by_sources"),
    ("rows", "*", "by_sources", "*"),
)
"""What gets a heading and lines of its own; tables below these are written in one line."""


def recipe_toml(recipe: Recipe, comment: str = "") -> str:
    """The whole recipe; ``load_recipe`` makes the same one of it.

    Args:
        recipe: what to write.
        comment: the first lines.
    """
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    return "\n".join([*lines, *_table(_content(recipe), ())]).strip() + "\n"


def _content(part: Any) -> dict[str, Any]:
    """The fields of a recipe, row or changes that differ from their defaults; by_sources is whole, if empty."""
    content = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        default = field.default_factory() if callable(field.default_factory) else field.default
        if isinstance(value, Mapping):
            value = {k: _content(v) if dataclasses.is_dataclass(v) else v for k, v in value.items()}
        if value != default:
            content[field.name] = value
    return content


def _table(content: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Values first, then the tables below."""
    values = {name: value for name, value in content.items() if not _has_own_lines(value, (*path, name))}
    if path and (values or not content):
        yield f"\n[{'.'.join(map(_key, path))}]"
    for name, value in values.items():
        yield f"{_key(name)} = {toml_value(value)}"
    for name, value in content.items():
        if name not in values:
            yield from _table(value, (*path, name))


def _has_own_lines(value: Any, path: tuple[str, ...]) -> bool:
    shapes = (shape for shape in TABLES if len(shape) == len(path))
    return isinstance(value, Mapping) and any(
        all(part in ("*", name) for part, name in zip(shape, path, strict=True)) for shape in shapes
    )


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else toml_value(name)


def toml_value(value: Any) -> str:
    """A value as TOML writes it, tables in one line.

    Example:
        >>> print(toml_value({"dim": 8, "text only": True, "rates": [0.1, 1e-05]}))
        { dim = 8, "text only" = true, rates = [0.1, 1e-05] }
    """
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(name)} = {toml_value(item)}" for name, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)  # inf and nan, too, are written so
    text = str(value) if isinstance(value, Path) else value
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
