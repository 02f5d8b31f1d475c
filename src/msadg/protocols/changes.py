"""What is changed on top of a row of a recipe: by a draw of ``msadg tune``, or for one choice of source domains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from msadg.protocols.domains import domain_name


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Settings by part; a part that a row does not have (such as +mask) stays away."""

    training: Mapping[str, Any] = field(default_factory=dict)
    """Fields of ``TrainingConfig``."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the method."""
    mask: Mapping[str, Any] = field(default_factory=dict)
    """Of +mask, for a row that has it."""
    variation: Mapping[str, Any] = field(default_factory=dict)
    """Of +sv, for a row that has it."""
    finetune: Mapping[str, Any] = field(default_factory=dict)
    """Of a trained text encoder, for a row that has one."""

    def and_then(self, later: Changes) -> Changes:
        """Both; where both change a setting, the later one counts.

        Example:
            >>> Changes(training={"epochs": 3}).and_then(Changes(settings={"dim": 8})).by_name()
            {'training.epochs': 3, 'settings.dim': 8}
        """
        return Changes(**{part: {**getattr(self, part), **getattr(later, part)} for part in PARTS})

    def by_name(self) -> dict[str, Any]:
        """Values by ``part.setting``."""
        return {f"{part}.{name}": value for part in PARTS for name, value in getattr(self, part).items()}

    @staticmethod
    def from_names(values: Mapping[str, Any]) -> Changes:
        """What ``by_name`` of the result returns."""
        parts: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
        for name, value in values.items():
            part, _, setting = name.partition(".")
            parts[part][setting] = value
        return Changes(**parts)


PARTS = tuple(part.name for part in fields(Changes))
"""Of a row, in the order in which they are told."""


def sources_key(domains: Iterable[str]) -> str:
    """How a recipe names a choice of source domains; their order is left out of it.

    Example:
        >>> sources_key(["mosei", "meld=clips.csv"]) == sources_key(["meld", "mosei"])
        True
    """
    return "+".join(sorted(map(domain_name, domains)))
