"""The clips that a recorded run scored, found again in the corpora at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from msadg.corpora.catalog import CORPORA
from msadg.errors import UsageError
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
        domain = named.get(name, name)
        if domain not in CORPORA and not Path(domain.partition("=")[2] or domain).exists():
            given = f" (it names {', '.join(manifests)})" if manifests else ""
            raise UsageError(
                f"the runs scored {name}, which is neither a known corpus nor where the records say; tell where its "
                f"manifest is: --domain {name}=PATH{given}"
            )
        return utterances_of(data, domain, record.extra.get("split", "test"))

    return find
