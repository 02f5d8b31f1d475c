"""Record: one run on disk, as one line of JSON. Tables and figures are functions of records alone."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from msadg.corpora.label_sets import label_set_from
from msadg.errors import RunError, nearest_name
from msadg.types import SENTIMENT, LabelSet

ORACLE = "oracle"
"""The selection rule that reads the target; tables mark it."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one run was, and what came of it."""

    key: str
    """Digest of all that determines the run (`digest_of`), and the name of its folder under ``runs/``."""
    row: str
    """Label of its row in tables: ``s2lif``, ``s2lif (V|T)``; runs that share it differ by seed and setting only."""
    method: str
    settings: Mapping[str, Any]
    """Resolved: what the run was made with, defaults included."""
    setting: str | None
    """``single-A``, ``multi-C`` ...; None for a choice of domains without a name."""
    source_domains: tuple[str, ...]
    target_domains: tuple[str, ...]
    selection: str
    """The rule that chose what to keep; ``oracle`` is the one that read the target."""
    seed: int
    revision: str
    """Of the code."""
    features: Mapping[str, Mapping[str, Any]]
    """By modality: ``extractor``, ``version``, ``digest`` of the store's manifest; ``simulated`` where it is true."""
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """On test, by domain and name, unrounded."""
    dev_metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """On dev, sources only."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What a method or a measurement adds: keep ratios, best epoch, epochs, seconds, recovery ...

    ``label_set``: what the classes are, where they are not the three sentiments (``labelled_with``)."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """Version of torch, threads, platform."""
    error: str | None = None
    """Why the run failed; None = it did not."""
    finished_at: str = field(default_factory=_now)
    """ISO 8601, UTC."""

    @property
    def label_set(self) -> LabelSet:
        """What the classes are.

        Raises:
            RunError: ``extra`` says so in no way that is known.
        """
        return label_set_from(self.extra.get("label_set"), f"record {self.key}")

    def to_json(self) -> str:
        """One line of JSON. NaN is written as null, an infinite number as "inf" or "-inf"."""
        return json.dumps(_plain(dataclasses.asdict(self)), ensure_ascii=False, allow_nan=False)

    @staticmethod
    def from_json(text: str, where: str = "record") -> Record:
        """The record that `to_json` wrote; a null among its metrics is NaN again.

        Raises:
            RunError: not JSON, a key that a record does not have, one that is missing, or a value of the
                wrong type; begins with `where`.
        """
        from pydantic import ValidationError

        try:
            record: Record = _types().validate_python(_with_nan(_keys_checked(json.loads(text))))
            return record
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise RunError(f"{where}: {place} is {first['input']!r}; {first['msg']}") from error
        except ValueError as error:
            raise RunError(f"{where}: {error}; expected what `msadg train` wrote, one JSON object") from error


def labelled_with(label_set: LabelSet) -> dict[str, Any]:
    """What a record's ``extra`` says of its classes: nothing of the three sentiments."""
    return {} if label_set == SENTIMENT else {"label_set": dataclasses.asdict(label_set)}


def digest_of(what: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that depend on the content of `what` alone, not on the order of its keys.

    Example:
        >>> digest_of({"method": "erm", "seed": 0}) == digest_of({"seed": 0, "method": "erm"})
        True
    """
    text = json.dumps(_plain(what), sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def _types() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Record)


def _keys_checked(content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"holds {type(content).__name__}")
    fields = dataclasses.fields(Record)
    known = [item.name for item in fields]
    for name in content:
        if name not in known:
            raise ValueError(f"unknown key {name!r}; {nearest_name(name, known)}known: {', '.join(known)}")
    for item in fields:
        if item.default is item.default_factory is dataclasses.MISSING and item.name not in content:
            raise ValueError(f"lacks the key {item.name!r}")
    return content


def _with_nan(content: dict[str, Any]) -> dict[str, Any]:
    """Null is NaN among metrics; elsewhere it is None. What has another shape is left for the check of types."""

    def number(value: Any) -> Any:
        return math.nan if value is None else value

    def of_domain(scores: Any) -> Any:
        return {name: number(value) for name, value in scores.items()} if isinstance(scores, dict) else scores

    def by_domain(metrics: Any) -> Any:
        return {name: of_domain(scores) for name, scores in metrics.items()} if isinstance(metrics, dict) else metrics

    return content | {name: by_domain(content[name]) for name in ("metrics", "dev_metrics") if name in content}


def _plain(value: Any) -> Any:
    """`value` in the types of JSON: NumPy scalars as numbers, tuples as lists, NaN as None, paths as text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if hasattr(value, "tolist") and not isinstance(value, float):  # NumPy scalars and arrays, tensors
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if value is None or isinstance(value, str | int | float | bool):
        return float(value) if isinstance(value, float) else value
    return str(value)
