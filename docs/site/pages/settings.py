"""Tables of settings: name, type, default, range and meaning of each field of a settings dataclass."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_type_hints

from pages.prose import cell, code_cell, table, title

BOUNDS = {"above": "> {}", "at_least": "≥ {}", "at_most": "≤ {}"}
"""Keywords of ``msadg.settings.require`` in signs."""


def pages() -> Iterator[tuple[str, str]]:
    """Yield the page of the settings that do not belong to one method."""
    from msadg.methods.finetuned import FineTuneConfig
    from msadg.methods.masked import MaskedConfig
    from msadg.methods.varied import VariedConfig
    from msadg.protocols.features import DataConfig
    from msadg.protocols.recipe import RowSpec
    from msadg.protocols.training import TrainingConfig

    parts = [
        title("Settings of a run"),
        "Every key of a recipe, beside those of its methods. `--set training.epochs=5` changes one for one command;\n"
        "an unknown key is an error that names the nearest.\n",
    ]
    for heading, kind in (
        ("[training]", TrainingConfig),
        ("[data]", DataConfig),
        ("[rows.NAME]", RowSpec),
        ("mask = {...} in a row", MaskedConfig),
        ("variation = {...} in a row", VariedConfig),
        ("finetune = {...} in a row", FineTuneConfig),
    ):
        parts += [title(heading, 2), settings_table(kind)]
    yield "settings.md", "\n".join(parts)


def settings_table(kind: type) -> str:
    """Return the table of a settings dataclass, inherited fields first, as they are declared."""
    fields = dataclasses.fields(kind)
    if not fields:
        return "No settings.\n"
    meanings, ranges, types = meanings_of(kind), ranges_of(kind), get_type_hints(kind)
    rows = [
        (
            code_cell(field.name),
            cell(_type_in_words(types[field.name], str(field.type))),
            code_cell(_default(field)),
            cell(ranges.get(field.name, "")),
            cell(meanings.get(field.name, "")),
        )
        for field in fields
    ]
    return table(("name", "type", "default", "range", "meaning"), rows)


def _type_in_words(kind: Any, written: str) -> str:
    """A type as the errors of ``msadg.settings`` call it; as it is written, where they have no words for it."""
    from msadg.settings import _in_words

    return " or ".join(_in_words(kind)) or f"``{written}``"


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return repr(field.default_factory())
    if field.default is dataclasses.MISSING:
        return "needed"
    return repr(str(field.default) if isinstance(field.default, Path) else field.default)


def meanings_of(kind: type) -> dict[str, str]:
    """Return the docstring under each field, those of a base class included."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if dataclasses.is_dataclass(base):
            found |= _field_docstrings(_tree(base).body)
    return found


def _field_docstrings(body: list[ast.stmt]) -> dict[str, str]:
    found = {}
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and _is_text(below):
            found[field.target.id] = inspect.cleandoc(below.value.value)  # type: ignore[attr-defined]
    return found


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def ranges_of(kind: type) -> dict[str, str]:
    """Return the ranges that ``__post_init__`` checks by ``require``, as signs: what is not checked so is left out."""
    from msadg import settings

    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if dataclasses.is_dataclass(base) and "__post_init__" in vars(base):
            tree = _tree(base)
            calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
            if any(_called(call) == "require_encoder_settings" for call in calls):
                source = inspect.getsource(settings.require_encoder_settings)
                found |= _required(ast.parse(source), {})
            found |= _required(tree, _loops(tree))
    return found


def _required(tree: ast.AST, loops: dict[str, list[str]]) -> dict[str, str]:
    found = {}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == "require"):
        bounds = [
            BOUNDS[word.arg].format(f"{word.value.value:g}")
            for word in call.keywords
            if word.arg in BOUNDS and isinstance(word.value, ast.Constant) and isinstance(word.value.value, int | float)
        ]
        first = call.args[0]
        names = loops.get(first.id, []) if isinstance(first, ast.Name) else [getattr(first, "value", None)]
        found |= {re.sub(r"^\w+\.", "", name): ", ".join(bounds) for name in names if isinstance(name, str)}
    return found


def _loops(tree: ast.AST) -> dict[str, list[str]]:
    """Variable of a loop over names -> the names."""
    return {
        node.target.id: [e.value for e in node.iter.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]
        for node in ast.walk(tree)
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name) and isinstance(node.iter, ast.Tuple)
    }


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _tree(kind: type) -> ast.ClassDef:
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(tree, ast.ClassDef)
    return tree
