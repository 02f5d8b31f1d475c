"""Settings dataclasses from plain values: a recipe's TOML, ``--set key=value``, a run's JSON.

Values are checked by pydantic against the annotations of the dataclass; an unknown key is an error that names the
known ones, nearest first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from msadg.errors import SettingsError, nearest_name

T = TypeVar("T")


def settings_from(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """Build a settings dataclass.

    Args:
        kind: a frozen dataclass whose fields have defaults.
        values: by field name; what is missing keeps its default.
        where: what to call the place in an error, such as ``recipes/quick.toml: method``.

    Raises:
        SettingsError: an unknown key, or a value of the wrong type or outside the choices.
    """
    from pydantic import ValidationError

    known = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise SettingsError(
                f"{where}: unknown key {key!r}; {nearest_name(key, known)}"
                f"{kind.__name__} has {', '.join(known) or 'no settings'}"
            )
    try:
        checked: T = _adapter(kind).validate_python(dict(values))  # type: ignore[arg-type]
        return checked
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None
    except ValidationError as error:
        raise SettingsError(f"{where}: {_wrong_value(kind, values, error.errors()[0])}") from None


@cache
def _adapter(kind: type) -> Any:
    """Checks values against a dataclass; what takes its time is to make it, and a large grid asks for many."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _wrong_value(kind: type, values: Mapping[str, Any], first: Any) -> str:
    """Name the field and what it takes; in pydantic's words where there are no plain ones."""
    name = str(first["loc"][0]) if first["loc"] else ""
    expected = _in_words(get_type_hints(kind).get(name))
    if name not in values or not expected:
        return f"{'.'.join(map(str, first['loc']))} = {first['input']!r}: {first['msg']}"
    return f"{name} = {values[name]!r}; expected {' or '.join(expected)}"


WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
    NoneType: "nothing",
}


def _in_words(annotation: Any) -> list[str]:
    """What a type takes, in plain words; [] where there are none.

    Example:
        >>> _in_words(int | float | None), _in_words(tuple[str, ...]), _in_words(Literal["hot", "cold"])
        (['a number', 'nothing'], ['a list (each: text)'], ['one of hot, cold'])
    """
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return [f"one of {', '.join(map(str, parts))}"]
    if origin in (Union, UnionType):
        words = [_in_words(part) for part in parts if part is not int or float not in parts]
        return list(dict.fromkeys(chain(*words))) if all(words) else []
    if origin in (tuple, list) and parts and (inner := _in_words(parts[0])):
        return [f"a list (each: {' or '.join(inner)})"]
    return [WORDS[annotation]] if annotation in WORDS else []


def require(
    name: str,
    value: int | float,
    *,
    above: int | float | None = None,
    at_least: int | float | None = None,
    at_most: int | float | None = None,
) -> None:
    """Check that a number lies in its range; NaN lies in none.

    Raises:
        SettingsError: it does not.
    """
    if above is not None and not value > above:
        raise SettingsError(f"{name} = {value}; expected more than {above}")
    if at_least is not None and not value >= at_least:
        raise SettingsError(f"{name} = {value}; expected {at_least} or more")
    if at_most is not None and not value <= at_most:
        raise SettingsError(f"{name} = {value}; expected {at_most} or less")


def require_encoder_settings(config: Any) -> None:
    """Check the settings that every method with encoders has: ``dim``, ``heads``, ``layers``, ``dropout``.

    Raises:
        SettingsError: one lies outside its range, or the heads do not divide the width.
    """
    require("dim", config.dim, at_least=1)
    require("heads", config.heads, at_least=1)
    require("layers", config.layers, at_least=0)
    require("dropout", config.dropout, at_least=0, at_most=0.999)
    if config.dim % config.heads:
        raise SettingsError(f"heads = {config.heads} does not divide dim = {config.dim}; attention needs whole heads")


def settings_to_dict(settings: Any) -> dict[str, Any]:
    """The plain values of a settings dataclass, as they go into a record."""
    return {
        key: list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
        for key, value in dataclasses.asdict(settings).items()
    }
