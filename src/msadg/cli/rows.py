"""Which rows of a recipe are run where nobody names any, and what the options of features do to them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from msadg.errors import UsageError

if TYPE_CHECKING:
    from msadg.protocols.domains import DomainSplit
    from msadg.protocols.recipe import Recipe


def rows_that_can_be(
    rows: Sequence[str], recipe: Recipe, splits: Sequence[DomainSplit], *, with_language_models: bool
) -> list[str]:
    """Those that nobody named and that can be run; what is left out, and why, is told on standard error.

    Raises:
        UsageError: none is left.
    """
    kept = [row for row in rows if recipe.splits_for(row, splits)]
    _tell_without(rows, kept, "they compare source domains, and there is one")
    asked = [row for row in kept if with_language_models or recipe.row(row).method != "mllm"]
    _tell_without(
        kept, asked, "their weights are several GB each; --methods with a row's name, or --methods all, asks them"
    )
    if not asked:
        raise UsageError("no row of the recipe is left; name some (--methods), or take more sources")
    return asked


def _tell_without(rows: Sequence[str], kept: Sequence[str], reason: str) -> None:
    if left_out := [row for row in rows if row not in kept]:
        print(f"left out: {'; '.join(left_out)}: {reason}", file=sys.stderr)


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


def tell_of_own_features(rows: Sequence[str], recipe: Recipe, arguments: argparse.Namespace) -> None:
    """Say on standard error which rows an option such as ``--text`` does not reach, as they name their own features."""
    from msadg.protocols.features import TOKENS

    for modality in ("text", "audio", "video"):
        asked = getattr(arguments, modality)
        own = {row: recipe.row(row).features.get(modality, "") for row in rows}
        kept = [f"{row} ({name})" for row, name in own.items() if name and name != asked and not name.endswith(TOKENS)]
        if asked and kept:
            print(
                f"--{modality} {asked} does not reach rows that name their own: {'; '.join(kept)}",
                file=sys.stderr,
            )
