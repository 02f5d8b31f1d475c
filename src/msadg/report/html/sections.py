"""What the records hold of settings, data, features, environment and failures, as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msadg.corpora.catalog import CORPORA
from msadg.corpora.corpus import Card
from msadg.report.html.grid import Grid, grid_of
from msadg.report.names import MISSING, printed
from msadg.results.aggregate import row_of
from msadg.results.record import Record

UNSHOWN = ("row", "seed", "domains", "intervention", "data.stores", "data.data_root")
"""Settings that differ from run to run by what the run is, or say where something lies on someone's disk."""

MOST_WARNINGS = 20


def settings_grids(records: Sequence[Record]) -> list[Grid]:
    """What all rows share, and what they do not, row by row."""
    by_row: dict[str, dict[str, list[str]]] = {}
    for record in records:
        said = by_row.setdefault(row_of(record), {})
        for key, value in _flat(record.settings):
            values = said.setdefault(key, [])
            if value not in values:
                values.append(value)
    keys = sorted({key for said in by_row.values() for key in said})
    texts = {row: {key: " or ".join(said.get(key, [MISSING])) for key in keys} for row, said in by_row.items()}
    shared = [key for key in keys if len({said[key] for said in texts.values()}) == 1]
    differing = [key for key in keys if key not in shared]
    grids = []
    if differing:
        rows = [[key, *(said[key] for said in texts.values())] for key in differing]
        grids.append(grid_of("Settings in which rows differ", ["setting", *map(printed, texts)], rows))
    if shared:
        first = next(iter(texts.values()))
        grids.append(grid_of("Settings that all rows share", ["setting", "value"], [[k, first[k]] for k in shared]))
    return grids


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if name in UNSHOWN:
            continue
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name}.")
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def environment_grid(records: Sequence[Record]) -> Grid:
    """Versions, revision, device and time, as the records have them; every value that was met."""
    met: dict[str, list[str]] = {}
    for record in records:
        said: dict[str, Any] = {"code revision": record.revision, **record.environment}
        device = (record.settings.get("training") or {}).get("device")
        if device is not None:
            said["device asked for"] = device
        for key, value in said.items():
            values = met.setdefault(str(key).replace("_", " "), [])
            if str(value) not in values:
                values.append(str(value))
    rows = [[key, " / ".join(values)] for key, values in met.items()]
    rows.append(["runs", f"{len(records)}, of which {sum(r.error is not None for r in records)} failed"])
    rows.append(["seeds", ", ".join(map(str, sorted({record.seed for record in records})))])
    seconds = sum(float(record.extra.get("train_seconds") or 0.0) for record in records)
    rows.append(["training time", f"{seconds:,.0f} s in all"])
    ends = sorted(record.finished_at for record in records)
    rows.append(["runs ended", ends[0] if ends[0] == ends[-1] else f"{ends[0]} to {ends[-1]}"])
    return grid_of("Environment", ["what", "value"], rows)


def features_grid(records: Sequence[Record]) -> Grid:
    """What made the features of each modality."""
    rows: dict[tuple[str, ...], None] = {}
    for record in records:
        for modality, feature in record.features.items():
            kind = "simulated, drawn from the labels" if feature.get("simulated") else "extracted"
            told = (str(feature.get(name, MISSING)) for name in ("extractor", "version"))
            rows[modality, *told, str(feature.get("digest", MISSING))[:12], kind] = None
    return grid_of("Features", ["modality", "extractor", "version", "digest", "kind"], list(rows))


def data_grid(records: Sequence[Record]) -> Grid:
    """The card of each domain; of clips of one's own, that there is none."""
    sources = dict.fromkeys(domain for record in records for domain in record.source_domains)
    scored = dict.fromkeys(domain for record in records for domain in record.metrics)
    head = [
        "domain", "what it is", "used as", "language", "classes", "utterances (train / dev / test)", "licence",
        "known faults", "reference",
    ]  # fmt: skip
    rows = []
    for domain in dict.fromkeys([*sources, *scored, *(d for r in records for d in r.target_domains)]):
        targets = {d for record in records for d in record.target_domains}
        used = [name for name, among in (("source", sources), ("target", targets)) if domain in among]
        card = CORPORA[domain].card if domain in CORPORA else None
        rows.append([printed(domain), *_card(card, " and ".join(used) or "scored")])
    return grid_of("Data cards", head, rows)


def _card(card: Card | None, used: str) -> list[str]:
    if card is None:
        return ["clips of the user's own, without a card", used, *[MISSING] * 6]
    sizes = card.num_utterances
    counts = MISSING if sizes is None else " / ".join(f"{sizes.get(split, 0):,}" for split in ("train", "dev", "test"))
    classes = ", ".join(card.label_set.classes) if card.label_set else MISSING
    faults = "; ".join(card.known_faults) or "none known"
    return [card.title, used, card.language, classes, counts, card.licence, faults, card.reference]


def failures_grid(records: Sequence[Record]) -> Grid | None:
    """The runs that failed, and why; None where none did."""
    rows = [
        [printed(row_of(record)), record.setting or "+".join(record.source_domains), str(record.seed), record.error]
        for record in records
        if record.error is not None
    ]
    return grid_of("Runs that failed", ["method", "setting", "seed", "error"], rows) if rows else None


def run_warnings(records: Sequence[Record]) -> list[str]:
    """What runs warned of, each sentence once, with the number of runs; the commonest first."""
    met: dict[str, int] = {}
    for record in records:
        for sentence in dict.fromkeys(record.extra.get("warnings") or ()):
            met[str(sentence)] = met.get(str(sentence), 0) + 1
    told = [f"{text} ({num} run{'s' * (num > 1)})" for text, num in sorted(met.items(), key=lambda item: -item[1])]
    more = len(told) - MOST_WARNINGS
    return told if more <= 0 else [*told[:MOST_WARNINGS], f"and {more} more kinds of warning, in records.jsonl"]
