"""What `msadg benchmark --table N` runs: the settings and rows of one of the first paper's tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msadg.cli.rows import rows_that_can_be
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
    return rows_that_can_be(belonging, recipe, splits, with_language_models=names is not None)
