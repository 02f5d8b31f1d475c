"""A record as any machine can read it: what names a folder or a clip is taken out, and domains can be placed anew."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from msadg.results.record import Record

FOLDER = re.compile(r"(^|[\s=:,'\"(])/(?:[^/\s,'\"]+/)*")
"""The folders before a file's or folder's own name."""
FIRST_CLIP = re.compile(r"\s*\(first: (?:[^()]|\([^()]*\))*\)")


def portable(record: Record) -> Record:
    """The record as it can be read anywhere: without folders of this machine, and without ids in warnings."""
    settings, extra = dict(record.settings), dict(record.extra)
    if isinstance(data := settings.get("data"), Mapping):
        features = {name: _without_folders(str(extractor)) for name, extractor in data.get("features", {}).items()}
        settings["data"] = {**data, "stores": "stores", "data_root": None, "features": features}
    if "warnings" in extra:
        extra["warnings"] = [FOLDER.sub(r"\1", FIRST_CLIP.sub("", str(warning))) for warning in extra["warnings"]]
    return with_domains(replace(record, settings=settings, extra=extra), None)


def _without_folders(extractor: str) -> str:
    """An extractor whose files and folders go by their own names; an id of the hub (``owner/name``) stays.

    Example:
        >>> _without_folders("/home/jo/my models/bert:layer=3"), _without_folders("face:weights=../jo/w.pt,rate=5")
        ('bert:layer=3', 'face:weights=w.pt,rate=5')
        >>> _without_folders("google/electra-base-discriminator")
        'google/electra-base-discriminator'
    """
    name, colon, options = extractor.partition(":")
    pairs = [option.partition("=") for option in options.split(",")]
    return _own_name(name) + colon + ",".join(key + equals + _own_name(value) for key, equals, value in pairs)


def _own_name(word: str) -> str:
    return word.rstrip("/").rpartition("/")[2] if word.startswith(("/", "./", "../", "~")) else word


def with_domains(record: Record, manifests: Mapping[str, str] | None) -> Record:
    """The record with its domains as they are given here, ``name=path``, by name; None takes all paths out."""
    domains = record.settings.get("domains")
    if not isinstance(domains, Mapping):
        return record

    def placed(domain: str) -> str:
        name = domain.partition("=")[0]
        return name if manifests is None else manifests.get(name, domain)

    moved = {role: [placed(str(d)) for d in domains.get(role, ())] for role in ("source_domains", "target_domains")}
    return replace(record, settings={**record.settings, "domains": {**domains, **moved}})
