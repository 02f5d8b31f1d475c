"""What `msadg benchmark --table N` runs: the settings and rows of one of the first paper's tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from msadg.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from msadg.protocols.domains import DomainSplit
    from msadg.protocols.recipe import Recipe


def splits_of_table(arguments: argparse.Namespace) -> list[DomainSplit]:
    """The settings of a table, or those of them that ``--settings`` names.

    Raises:
        UsageError: other domains than the paper's are asked for.
        UnknownNameError: a setting that the table does not have.
    """
    from msadg.protocols.domains import paper_setting
    from msadg.report.published import published_table

    if arguments.source or arguments.target or arguments.leave_one_out:
        raise UsageError(
            f"--table {arguments.table} is on the paper's domains; leave out --source, --target and --leave-one-out, "
            "or name the recipe instead (--recipe tables)"
        )
    paper = published_table(arguments.table)
    names = arguments.settings or ["all"]
    for name in names if names != ["all"] else ():
        if name not in paper.settings:
            raise UnknownNameError(f"setting of {paper.title}", name, [*paper.settings, "all"])
    return [paper_setting(name) for name in (paper.settings if names == ["all"] else dict.fromkeys(names))]


def rows_of_table(number: int, recipe: Recipe, names: Sequence[str] | None, splits: Sequence[DomainSplit]) -> list[str]:
    """The rows of a table: those that are named, or those of the recipe that belong there and can be run.

    What is left out is told on standard error: methods that compare source domains where there is one; and, unless
    all are asked for by name, language models, for their weights are several GB each.

    Raises:
        UnknownNameError: a row that neither the recipe nor METHODS has, or that the table does not show.
    """
    from msadg.report.published import published_table

    paper = published_table(number)
    belonging = [row for row in recipe.all_rows() if recipe.row(row).method == "constant" or paper.admits(row)]
    if names is not None and list(names) != ["all"]:
        for name in names:
            if recipe.row(name).method != "constant" and not paper.admits(name):
                raise UnknownNameError(f"row of {paper.title}", name, belonging)
        return list(dict.fromkeys(names))
    rows = _possible(belonging, recipe, splits)
    return rows if names is not None else _without_language_models(rows, recipe)


def _possible(rows: Sequence[str], recipe: Recipe, splits: Sequence[DomainSplit]) -> list[str]:
    """The rows that some setting has sources enough for."""
    from msadg.protocols.needed_sources import has_sources_to_compare

    def is_possible(row: str) -> bool:
        spec = recipe.row(row)
        selection = spec.selection or recipe.selection
        return any(has_sources_to_compare(spec.method, selection, split.source_domains) for split in splits)

    kept = [row for row in rows if is_possible(row)]
    _tell([row for row in rows if row not in kept], "they compare source domains, and there is one")
    return kept


def _without_language_models(rows: Sequence[str], recipe: Recipe) -> list[str]:
    kept = [row for row in rows if recipe.row(row).method != "mllm"]
    _tell(
        [row for row in rows if row not in kept],
        "their weights are several GB each; --methods with a row's name, or --methods all, asks them",
    )
    return kept


def _tell(rows: Sequence[str], reason: str) -> None:
    if rows:
        print(f"left out: {'; '.join(rows)}: {reason}", file=sys.stderr)


def with_trained_text(recipe: Recipe, encoder: str | None) -> Recipe:
    """The recipe with ``--text`` for the rows that train their encoder too; None leaves it as it is."""
    from msadg.extraction.catalog import is_in_catalogue
    from msadg.extraction.simulated_options import is_simulated
    from msadg.extraction.text_layer import TextModel
    from msadg.protocols.features import TOKENS

    if encoder is None or is_simulated(encoder) or is_in_catalogue("text", encoder):
        return recipe
    tokens = TextModel.parse(encoder.removesuffix(TOKENS)).model + TOKENS  # a layer= is of frozen states
    rows = {
        name: replace(row, features={**row.features, "text": tokens})
        if row.finetune is not None and "text" in row.features
        else row
        for name, row in recipe.rows.items()
    }
    return replace(recipe, rows=rows)
