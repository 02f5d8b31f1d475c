"""Settings dataclasses from plain values: a recipe's TOML, ``--set key=value``, a run's JSON.

Values are checked by pydantic against the annotations of the dataclass; an unknown key is an error that names the
known ones, nearest first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

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
    from pydantic import TypeAdapter, ValidationError

    known = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise SettingsError(
                f"{where}: unknown key {key!r}; {nearest_name(key, known)}"
                f"{kind.__name__} has {', '.join(known) or 'no settings'}"
            )
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{where}: {key} = {first['input']!r}: {first['msg']}") from None


def settings_to_dict(settings: Any) -> dict[str, Any]:
    """The plain values of a settings dataclass, as they go into a record."""
    return {
        key: list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
        for key, value in dataclasses.asdict(settings).items()
    }
