"""Which settings are searched: the ``[search]`` part of a recipe.

    [search]                                  # for every method that is trained by gradient
    training.learning_rate = { log_uniform = [3e-4, 3e-3] }
    settings.dropout = { choice = [0.0, 0.1, 0.3] }          # for every method that has the setting
    mask.sparsity_weight = { log_uniform = [1e-4, 1e-1] }    # for rows with +mask; variation and finetune likewise
    [search.s2lif]                            # for one method, on top of those above
    sparsity_weight = { log_uniform = [1e-4, 1e-1] }         # the same as settings.sparsity_weight
    training.learning_rate = { choice = [1e-3] }

What a row of the recipe sets itself makes it that row, and is not searched in it unless the row says so:
``searched = ["mask.sparsity_weight"]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

from msadg.errors import SettingsError, UnknownNameError, nearest_name
from msadg.methods import METHODS, load_method
from msadg.methods.finetuned import FineTuneConfig
from msadg.methods.masked import MaskedConfig
from msadg.methods.method import ClosedForm
from msadg.methods.varied import VariedConfig
from msadg.protocols.changes import PARTS, Changes
from msadg.protocols.distributions import KINDS, Distribution, distribution_from
from msadg.protocols.recipe import RowSpec
from msadg.protocols.training import TrainingConfig

NOT_SEARCHED = {
    "selection_metric": "it is what the draws are compared by",
    "device": "it does not decide what a run learns",
    "threads": "it does not decide what a run learns",
    "checkpoint_steps": "it does not decide what a run learns",
}
"""Settings of training that cannot be searched, and why."""

Named = Mapping[str, Distribution]
"""Distributions by the name of their setting: ``training.learning_rate``, ``settings.dropout``."""


@dataclass(frozen=True)
class SearchSpace:
    """The distributions that settings are drawn from."""

    common: Named = field(default_factory=dict)
    """For every method."""
    by_method: Mapping[str, Named] = field(default_factory=dict)
    """Method -> its own."""

    def on_top_of(self, other: SearchSpace) -> SearchSpace:
        """Both; where both have a distribution of one setting, this one's counts."""
        methods = dict.fromkeys([*other.by_method, *self.by_method])
        own = {m: {**other.by_method.get(m, {}), **self.by_method.get(m, {})} for m in methods}
        return SearchSpace({**other.common, **self.common}, own)

    def of_row(self, spec: RowSpec) -> dict[str, Distribution]:
        """What is searched in a row: settings that it has, and does not set itself or lists as ``searched``."""
        kind = load_method(spec.method)
        # What is drawn for every trained method would change nothing in one that is solved directly.
        common = {} if issubclass(kind, ClosedForm) else self.common
        found = {**common, **self.by_method.get(spec.method, {})}
        return {name: distribution for name, distribution in found.items() if _is_open(name, spec)}

    def draw(self, row: str, spec: RowSpec, seed: int, index: int) -> Changes:
        """The changes of one draw; they depend on seed, row and index alone, each setting on its own name besides.

        Draw 0 changes nothing: it is the recipe itself.
        """
        if index == 0:
            return Changes()
        return Changes.from_names({n: d.draw(seed, "draw", row, index, n) for n, d in self.of_row(spec).items()})

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for a record."""
        plain = {name: distribution.to_plain() for name, distribution in self.common.items()}
        own = {m: {name: d.to_plain() for name, d in named.items()} for m, named in self.by_method.items()}
        return {**plain, **own}


def _is_open(name: str, spec: RowSpec) -> bool:
    part, _, setting = name.partition(".")
    fixed = getattr(spec, part)
    has_it = part != "settings" or setting in _settings_of(spec.method)
    return fixed is not None and (setting not in fixed or name in spec.searched) and has_it


@lru_cache
def _settings_of(method: str) -> tuple[str, ...]:
    return tuple(item.name for item in fields(load_method(method).Config))


def search_space_from(content: Mapping[str, Any], where: str) -> SearchSpace:
    """Read a ``[search]`` table.

    Args:
        content: the table.
        where: what to call it in an error, such as ``recipes/search.toml: [search]``.

    Raises:
        UnknownNameError: a method that does not exist.
        SettingsError: a setting that does not exist or cannot be searched, or see ``distribution_from``.
    """
    common: dict[str, Distribution] = {}
    by_method: dict[str, Named] = {}
    for name, value in content.items():
        if name.partition(".")[0] in PARTS:
            common |= _read({name: value}, where, METHODS)
        elif name in METHODS:
            inside = f"{where[:-1]}.{name}]" if where.endswith("[search]") else f"{where}.{name}"
            if not isinstance(value, Mapping):
                raise SettingsError(f"{where}: {name} = {value!r}; expected a table of settings, [search.{name}]")
            own = {key if key.partition(".")[0] in PARTS else f"settings.{key}": item for key, item in value.items()}
            by_method[name] = _read(own, inside, [name])
        else:
            raise UnknownNameError(f"method or part of a row in {where}", name, [*METHODS, *PARTS])
    return SearchSpace(common, by_method)


def _read(content: Mapping[str, Any], where: str, methods: Iterable[str]) -> dict[str, Distribution]:
    found = {}
    for name, value in _flat(content):
        _check_name(name, where, methods)
        found[name] = distribution_from(value, f"{where} {name}")
    return found


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Distributions by dotted name, whether TOML nested them or a key was quoted."""
    for key, value in content.items():
        name = prefix + key
        if isinstance(value, Mapping) and "." not in name and not set(value) & {*KINDS, "size"}:
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _check_name(name: str, where: str, methods: Iterable[str]) -> None:
    part, _, setting = name.partition(".")
    known = list(dict.fromkeys(_known(part, methods)))
    if not setting:
        raise SettingsError(
            f"{where}: {part} stands alone; name a setting, as in {part}.{known[0]} = {{ choice = [1] }}"
        )
    if setting not in known:
        whose = "training" if part == "training" else ", ".join(methods) if part == "settings" else f"+{part}"
        raise SettingsError(
            f"{where}: {whose} has no setting {setting!r}; {nearest_name(setting, known)}it has {', '.join(known)}"
        )
    if part == "training" and setting in NOT_SEARCHED:
        raise SettingsError(f"{where}: training.{setting} cannot be searched: {NOT_SEARCHED[setting]}; set it instead")


def _known(part: str, methods: Iterable[str]) -> Iterator[str]:
    if part == "settings":
        for method in methods:
            yield from _settings_of(method)
        return
    configs = {"training": TrainingConfig, "mask": MaskedConfig, "variation": VariedConfig, "finetune": FineTuneConfig}
    yield from (item.name for item in fields(configs[part]))
