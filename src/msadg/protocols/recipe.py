"""Recipes: TOML files that say how rows of a table are made, and ``--set key=value`` on top of them.

    selection = "source_dev"
    task = "regression"   # of polarity; "classification" where it is not said
    [training]            # fields of TrainingConfig
    [data]                # fields of DataConfig
    [methods.s2lif]       # settings of a method, for every row that uses it
    [rows."s2lif, no mask"]
    method = "s2lif"
    settings = { mask = "none" }
    [rows.s2lif.by_sources."meld+mosei".settings]   # for runs on these sources alone, as `msadg tune` writes it
    sparsity_weight = 3e-2

A name in ``METHODS`` is a row of its own without being listed.
"""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msadg.errors import MsadgWarning, SettingsError, UnknownNameError, UsageError
from msadg.methods import METHODS, load_method
from msadg.methods.build import MethodSpec
from msadg.methods.finetuned import FineTuneConfig
from msadg.methods.masked import MaskedConfig
from msadg.methods.task import TaskKind
from msadg.methods.varied import VariedConfig
from msadg.protocols.changes import PARTS, Changes, sources_key
from msadg.protocols.domains import DomainSplit
from msadg.protocols.experiment import Experiment, InterventionName
from msadg.protocols.features import TOKENS, DataConfig
from msadg.protocols.needed_sources import has_sources_to_compare
from msadg.protocols.selection import check_selection
from msadg.protocols.training import TrainingConfig
from msadg.settings import settings_from


@dataclass(frozen=True, kw_only=True)
class RowSpec:
    """How one row of a table is made, where it differs from the rest of its recipe."""

    method: str
    """A name in ``METHODS``."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the method, on top of the recipe's for it."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Of training, on top of the recipe's."""
    features: Mapping[str, str] = field(default_factory=dict)
    """Modality -> extractor, on top of the recipe's; "" leaves a modality out."""
    mask: Mapping[str, Any] | None = None
    """Settings of +mask; an empty table takes the defaults."""
    variation: Mapping[str, Any] | None = None
    """Settings of +sv (sequential variation regularisation); an empty table takes the defaults."""
    finetune: Mapping[str, Any] | None = None
    """Settings of a trained text encoder; an empty table takes the defaults."""
    selection: str | None = None
    """Another rule than the recipe's."""
    task: TaskKind | None = None
    """Another task than the recipe's."""
    intervention: InterventionName = "none"
    """What is done to the selected features while scoring."""
    keep_ratio_of: str | None = None
    """For a random mask: the row whose measured keep ratios it takes, for the same setting and seed."""
    searched: tuple[str, ...] = ()
    """What ``msadg tune`` may change although the row sets it, as ``training.learning_rate``: a value to begin with."""
    by_sources: Mapping[str, Changes] = field(default_factory=dict)
    """Sources joined by ``+`` -> what is different in runs that train on exactly these."""

    def changed(self, changes: Changes) -> RowSpec:
        """The row with some changes, which go before those of ``by_sources``; of a part that it has."""
        had = {part: getattr(self, part) for part in PARTS}
        now: dict[str, Any] = {part: {**had[part], **getattr(changes, part)} for part in PARTS if had[part] is not None}
        later = {sources: own.and_then(changes) for sources, own in self.by_sources.items()}
        return replace(self, **now, by_sources=later)

    def on_sources(self, domains: Sequence[str]) -> RowSpec:
        """The row as it is for these source domains.

        A row that was fitted to some choices of sources is taken as it stands for another, with a warning.
        """
        if not self.by_sources:
            return self
        key, known = sources_key(domains), {sources_key(k.split("+")): own for k, own in self.by_sources.items()}
        if key not in known:
            message = (
                f"{self.method} has settings of its own for {', '.join(known)}, and none for {key}: there it runs with "
                f"those of the recipe; `msadg tune --source {key.replace('+', ' ')}` finds some"
            )
            warnings.warn(MsadgWarning(message), stacklevel=2)
        return replace(self, by_sources={}).changed(known.get(key, Changes()))


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What the rows of a table share, and how they differ."""

    description: str = ""
    """One line."""
    selection: str = "source_dev"
    """Who picks the epoch."""
    task: TaskKind = "classification"
    """What is predicted: the class, or (``regression``) the polarity."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Fields of ``TrainingConfig``."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Fields of ``DataConfig``."""
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Method -> its settings."""
    rows: Mapping[str, RowSpec] = field(default_factory=dict)
    """Row -> how it is made."""
    search: Mapping[str, Any] = field(default_factory=dict)
    """What ``msadg tune`` draws settings from (``protocols.search_space``)."""

    def row(self, name: str) -> RowSpec:
        """The row of a name: a listed one, or a method by itself.

        Raises:
            UnknownNameError: neither.
        """
        if name in self.rows:
            return self.rows[name]
        if name in METHODS:
            return RowSpec(method=name)
        raise UnknownNameError("method or row", name, {*METHODS, *self.rows})

    def is_of_classes_only(self, row: str) -> bool:
        """Whether a row differs from others by a class prior alone, in a recipe that predicts polarity.

        A regression has no class shares to leave out, so the row would repeat another's numbers under a name that
        says otherwise. It cannot be run (``Experiment`` refuses it); a table of all rows does without it.

        Raises:
            UnknownNameError: no such row.
        """
        spec = self.row(row)
        return (spec.task or self.task) == "regression" and spec.training.get("class_prior", "source") != "source"

    def splits_for(self, row: str, splits: Sequence[DomainSplit]) -> list[DomainSplit]:
        """Those with sources enough for a row, which may compare them.

        Raises:
            UnknownNameError: no such row.
        """
        spec = self.row(row)
        selection = spec.selection or self.selection
        settings = self.settings_of(spec)
        return [s for s in splits if has_sources_to_compare(spec.method, settings, selection, s.source_domains)]

    def settings_of(self, spec: RowSpec) -> dict[str, Any]:
        """Those of a row's method, and its own on top."""
        return {**self.methods.get(spec.method, {}), **spec.settings}

    def all_rows(self) -> list[str]:
        """The rows that are meant by all: those listed or, without any, each method that learns from the features."""
        return list(self.rows) or [name for name in METHODS if load_method(name).fitted_on == "train"]

    def experiment(self, row: str, domains: DomainSplit, seed: int) -> Experiment:
        """The experiment of one cell of the table.

        Raises:
            UnknownNameError: no such row or method.
            SettingsError: settings out of range.
        """
        spec = self.row(row).on_sources(domains.source_domains)
        data = dict(self.data)
        data["features"] = {
            modality: name
            for modality, name in {**data.get("features", {"text": "minilm"}), **spec.features}.items()
            if name
        }
        self._check(row, spec, data["features"])
        selection = check_selection(spec.selection or self.selection, domains.source_domains)
        return Experiment(
            row=row,
            method=MethodSpec(
                name=spec.method,
                settings=self.settings_of(spec),
                mask=spec.mask,
                variation=spec.variation,
                finetune=spec.finetune,
            ),
            domains=domains,
            training=settings_from(TrainingConfig, {**self.training, **spec.training}, where="training"),
            data=settings_from(DataConfig, data, where="data"),
            selection=selection,
            seed=seed,
            task=spec.task or self.task,
            intervention=spec.intervention,
        )

    def _check(self, row: str, spec: RowSpec, features: Mapping[str, str]) -> None:
        """Stop before anything is trained where settings are wrong, or do not go together."""
        settings_from(
            load_method(spec.method).Config, self.settings_of(spec), where=f"settings of {spec.method} in row {row!r}"
        )
        settings_from(MaskedConfig, spec.mask or {}, where=f"mask of row {row!r}")
        settings_from(VariedConfig, spec.variation or {}, where=f"variation of row {row!r}")
        settings_from(FineTuneConfig, spec.finetune or {}, where=f"finetune of row {row!r}")
        text = features.get("text", "")
        if (spec.finetune is not None) != text.endswith(TOKENS):
            raise UsageError(
                f"row {row!r} has {'finetune' if spec.finetune is not None else 'no finetune'} and text features "
                f'{text or "left out"!r}: an encoder that is trained reads token ids (text = "minilm{TOKENS}"), and '
                "token ids are of use to nothing else"
            )


def recipe_folders() -> list[Path]:
    """Where recipes are looked up by name: in the package, or beside its source."""
    package = Path(__file__).parents[1]
    return [package / "recipes", package.parents[1] / "recipes"]


def known_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted({path.stem for folder in recipe_folders() for path in folder.glob("*.toml")})


def load_recipe(name: str, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe by name or path and apply ``key=value`` changes.

    Args:
        name: of a recipe that comes with the package, or the path of a TOML file.
        changes: such as ``training.epochs=5`` or ``methods.s2lif.order=text``.

    Raises:
        UnknownNameError: no recipe of that name.
        SettingsError: not TOML, unknown keys, or values of the wrong type.
    """
    path = Path(name)
    if path.suffix != ".toml":
        found = [folder / f"{name}.toml" for folder in recipe_folders() if (folder / f"{name}.toml").exists()]
        if not found:
            raise UnknownNameError("recipe", name, known_recipes())
        path = found[0]
    if not path.is_file():
        raise UsageError(f"{path}: there is no such recipe; by name there are {', '.join(known_recipes())}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None
    for change in changes:
        _apply(content, change)
    rows = content.get("rows", {})
    content["rows"] = {row: _row_from(spec, f"{path}: rows.{row}") for row, spec in rows.items()}
    recipe = settings_from(Recipe, content, where=str(path))
    for method in recipe.methods:
        if method not in METHODS:
            raise UnknownNameError(f"method in {path}", method, METHODS)
    return recipe


def _row_from(values: Mapping[str, Any], where: str) -> RowSpec:
    by_sources = {
        sources: settings_from(Changes, changes, f"{where}.by_sources.{sources}")
        for sources, changes in values.get("by_sources", {}).items()
    }
    spec = settings_from(RowSpec, {**values, "by_sources": by_sources}, where)
    for name in spec.searched:
        part, _, setting = name.partition(".")
        if part not in PARTS or setting not in (getattr(spec, part) or {}):
            raise SettingsError(
                f"{where}: searched names {name!r}, which the row does not set; name what it sets, as in "
                'searched = ["training.learning_rate"], and leave out the rest, which is searched anyway'
            )
    return spec


def _apply(content: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {change!r}: expected key=value, such as training.epochs=5")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is a string
    *path, last = key.strip().split(".")
    place = content
    for part in path:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise UsageError(f"--set {change!r}: {part} is a value, it has nothing below it")
    place[last] = value
