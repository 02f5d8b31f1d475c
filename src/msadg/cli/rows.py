"""Which rows of a recipe are run where nobody names any, and what the options of features do to them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from msadg.protocols.domains import DomainSplit
    from msadg.protocols.recipe import Recipe


def rows_with_sources(rows: Sequence[str], recipe: Recipe, splits: Sequence[DomainSplit]) -> list[str]:
    """The rows that some of the choices of sources are enough for; says which are left out."""
    from msadg.protocols.needed_sources import has_sources_to_compare

    def is_possible(row: str) -> bool:
        spec = recipe.row(row)
        selection = spec.selection or recipe.selection
        return any(has_sources_to_compare(spec.method, selection, split.source_domains) for split in splits)

    kept = [row for row in rows if is_possible(row)]
    _tell([row for row in rows if row not in kept], "they compare source domains, and there is one")
    return kept


def without_language_models(rows: Sequence[str], recipe: Recipe) -> list[str]:
    """The rows that ask no language model; says which do, and how to have them."""
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
