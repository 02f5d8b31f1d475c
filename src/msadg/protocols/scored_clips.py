"""The clips that a recorded run scored, found again in the corpora at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from msadg.protocols.domains import domain_name
from msadg.protocols.experiment import experiment_from
from msadg.protocols.features import utterances_of
from msadg.results.archive import ClipsOf
from msadg.results.record import Record
from msadg.types import Utterance


def scored_clips(data_root: Path | None = None, manifests: Mapping[str, str] | None = None) -> ClipsOf:
    """What finds the clips of the split that a run scored, read as its settings say.

    Args:
        data_root: folder of the corpora, if they are not where the settings say.
        manifests: name of a domain -> ``name=path``, likewise.
    """

    def find(record: Record, name: str) -> list[Utterance]:
        experiment = experiment_from(record.settings, where=f"record {record.key}")
        data = experiment.data if data_root is None else replace(experiment.data, data_root=data_root)
        named = {domain_name(domain): domain for domain in experiment.domains.all_domains} | dict(manifests or {})
        return utterances_of(data, named.get(name, name), record.extra.get("split", "test"))

    return find
