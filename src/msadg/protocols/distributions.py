"""Distributions of one setting, by their names in a recipe, and values drawn from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from msadg.errors import SettingsError, nearest_name
from msadg.nn.seeds import derive_seed

NUM_DIGITS = 4
"""Significant digits of what is drawn from a continuous range, so that it can be read and written."""


def _uniform(share: float, low: float, high: float) -> float:
    return _rounded(low + share * (high - low), low, high)


def _log_uniform(share: float, low: float, high: float) -> float:
    return _rounded(low * (high / low) ** share, low, high)


def _int(share: float, low: int, high: int) -> int:
    return low + math.floor(share * (high - low + 1))


def _log_int(share: float, low: int, high: int) -> int:
    value: float = low * ((high + 1) / low) ** share
    return min(math.floor(value), high)


def _rounded(value: float, low: float, high: float) -> float:
    return float(min(max(float(f"{value:.{NUM_DIGITS}g}"), low), high))


RANGES: dict[str, Callable[[float, Any, Any], Any]] = {
    "uniform": _uniform,
    "log_uniform": _log_uniform,
    "int": _int,
    "log_int": _log_int,
}
"""Between two ends: (share of the distribution that lies below, low, high) -> value."""

KINDS = (*RANGES, "choice")


@dataclass(frozen=True)
class Distribution:
    """What one setting is drawn from.

    ``uniform`` and ``log_uniform`` have numbers from the lower end to the upper, even in themselves or in their
    logarithms; ``int`` and ``log_int`` whole numbers, both ends among them (``log_int`` rounds down what is log-uniform
    up to one more than the upper end); ``choice`` takes each value of a list equally often.
    """

    kind: str
    values: tuple[Any, ...]
    """The two ends, or the values to choose from."""
    size: int | None = None
    """For a setting that is a list: how many values are drawn; None for a setting that is one value."""

    def at(self, share: float) -> Any:
        """The value below which this share of the distribution lies; ``share`` in [0, 1).

        Example:
            >>> Distribution("log_uniform", (1e-4, 1e-2)).at(0.5), Distribution("choice", ("a", "b", "c")).at(0.4)
            (0.001, 'b')
        """
        if self.kind == "choice":
            return self.values[math.floor(share * len(self.values))]
        return RANGES[self.kind](share, *self.values)

    def draw(self, seed: int, *names: str | int) -> Any:
        """A value that belongs to a seed and some names, whatever else is drawn."""
        generator = np.random.Generator(np.random.PCG64(derive_seed(seed, *names)))
        if self.size is None:
            return self.at(generator.random())
        return [self.at(share) for share in generator.random(self.size)]

    def to_plain(self) -> dict[str, Any]:
        """As a recipe writes it."""
        return {self.kind: list(self.values)} | ({} if self.size is None else {"size": self.size})


def distribution_from(content: object, where: str) -> Distribution:
    """Read a distribution such as ``{ log_uniform = [1e-4, 1e-2] }``.

    Args:
        content: a table with one distribution, and perhaps ``size``.
        where: what to call the place in an error.

    Raises:
        SettingsError: none or several distributions, one that is not known, or an empty range.
    """
    example = "such as { log_uniform = [1e-4, 1e-2] } or { choice = [0.0, 0.1] }"
    if not isinstance(content, Mapping):
        raise SettingsError(f"{where} = {content!r}; expected a distribution, {example}")
    kinds = [name for name in content if name != "size"]
    for name in kinds:
        if name not in KINDS:
            raise SettingsError(
                f"{where}: there is no distribution {name!r}; {nearest_name(name, KINDS)}known: {', '.join(KINDS)}"
            )
    if len(kinds) != 1:
        raise SettingsError(f"{where} has {len(kinds)} distributions ({', '.join(kinds)}); expected one, {example}")
    kind, values, size = kinds[0], content[kinds[0]], content.get("size")
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise SettingsError(f"{where}: {kind} = {values!r}; expected a list, {example}")
    if size is not None and (type(size) is not int or size < 1):
        raise SettingsError(f"{where}: size = {size!r}; expected how many values are drawn, 1 or more")
    _check_values(kind, values, where)
    is_continuous = kind in ("uniform", "log_uniform")
    return Distribution(kind, tuple(map(float, values) if is_continuous else values), size)


def _check_values(kind: str, values: Sequence[Any], where: str) -> None:
    if kind == "choice":
        if not values:
            raise SettingsError(f"{where}: choice = []; expected at least one value")
        return
    numbers = (int,) if kind in ("int", "log_int") else (int, float)
    if len(values) != 2 or not all(type(value) in numbers and math.isfinite(value) for value in values):
        wanted = "two whole numbers" if numbers == (int,) else "two numbers"
        raise SettingsError(f"{where}: {kind} = {list(values)}; expected {wanted}, the lower end and the upper")
    low, high = values
    if not low < high:
        raise SettingsError(
            f"{where}: {kind} = {list(values)} is an empty range; the lower end comes first. For one fixed value "
            "leave the distribution out and set it in the recipe"
        )
    if kind.startswith("log_") and low <= 0:
        raise SettingsError(f"{where}: {kind} = {list(values)}; a logarithmic range begins above 0")
