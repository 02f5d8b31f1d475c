"""What stands around a table: the caption that says how it was made, and the notes that say what to beware of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msadg.metrics.by_domain import LOWER_IS_BETTER
from msadg.report.names import printed
from msadg.results.aggregate import Setting, group_runs, row_of, shown_runs
from msadg.results.record import ORACLE, Record
from msadg.types import SENTIMENT, LabelSet


def caption_of(records: Sequence[Record], metric: str, against: str | None, num_compared: int) -> str:
    """One line: metric, seeds, selection, features, and what the marks mean (only those that can occur)."""
    less = "; less is better" if metric in LOWER_IS_BETTER else ""
    parts = [
        f"{_upper(printed(metric))} on test{less}: mean ± half the 95 % t-interval over {_seeds(records)}",
        f"Selection: {', '.join(dict.fromkeys(record.selection for record in records))}",
        f"Features: {_features(records) or 'none'}",
        "Bold: best on a target",
    ]
    if any(is_regression(record) for record in records):
        parts.insert(1, _task(records))
    if against is not None:
        parts.append(
            f"*: differs from {printed(against)} (paired bootstrap over videos; Holm-adjusted over {num_compared} "
            "cells, p < .05)"
        )
    if any(record.selection == ORACLE for record in records):
        parts.append("†: selected on the target, out of competition")
    if any(answers_one_sentiment(record, domain) for record in records for domain in record.metrics):
        parts.append(f"‡: one {_what_is_answered(records)} for every clip in some seed, see below")
    return ". ".join(parts) + "."


def notes_of(records: Sequence[Record], groups: Mapping[Setting, str]) -> list[str]:
    """What is to be known besides.

    Rows that score as a constant does, failed runs with their error, and rows that were not trained alike.
    """
    return [*_one_sentiment(records, groups), *_failed(records, groups), *_budgets(records)]


def notes_on_runs(records: Sequence[Record]) -> list[str]:
    """What the runs of all tables warned of, the most frequent first, and which code made them."""
    shown = shown_runs(records)
    return [*_warned(shown), *notes_on_code(shown)]


def answers_one_sentiment(record: Record, domain: str) -> bool:
    """Whether a run gave every clip of a domain the same class, so that its score is a constant classifier's.

    So it is if one class has recall 1, the others 0, and macro-F1 is that of the constant: with a share s of
    the clips in that class, accuracy = s and F1 = 2s / (1 + s). False for the constant classifier itself.
    """
    if record.method == "constant":
        return False
    return _constant_answer(record.metrics.get(domain, {}), record.label_set) is not None


def is_regression(record: Record) -> bool:
    """Whether a run predicts polarity."""
    return record.settings.get("task") == "regression"


def _task(records: Sequence[Record]) -> str:
    rows = dict.fromkeys(printed(row_of(record)) for record in records if is_regression(record))
    everywhere = all(map(is_regression, records))
    which = "Polarity is predicted" if everywhere else f"Rows that predict polarity: {', '.join(rows)}"
    return f"{which}; its class is read from it as the labels' was"


def _what_is_answered(records: Iterable[Record]) -> str:
    """``sentiment``; of runs on other classes, which."""
    names = dict.fromkeys(record.label_set.name for record in records)
    return " or ".join(name if name == SENTIMENT.name else f"class of {name}" for name in names)


def _constant_answer(scores: Mapping[str, float], label_set: LabelSet) -> str | None:
    names = zip(label_set.classes, label_set.ids, strict=True)
    recalls = {name: scores.get(f"recall_{part}", math.nan) for name, part in names}
    known = {name: recall for name, recall in recalls.items() if not math.isnan(recall)}
    if len(known) < 2 or sorted(known.values()) != [0.0] * (len(known) - 1) + [1.0]:
        return None
    share, f1 = scores.get("accuracy", math.nan), scores.get("f1_macro", math.nan)
    if not math.isclose(f1, 2 * share / (1 + share) / label_set.num_classes, abs_tol=1e-9):
        return None
    return max(known, key=known.__getitem__)


def _one_sentiment(records: Sequence[Record], groups: Mapping[Setting, str]) -> list[str]:
    notes = []
    for (row, setting), runs in group_runs(records).items():
        for domain in dict.fromkeys(domain for run in runs for domain in run.metrics):
            if len(groups) > 1 and not groups.get(setting) and domain in setting.source_domains:
                continue  # each domain is left out once, and the table is of targets alone
            flagged = [run for run in runs if answers_one_sentiment(run, domain)]
            answers = dict.fromkeys(str(_constant_answer(run.metrics[domain], run.label_set)) for run in flagged)
            if flagged:
                notes.append(
                    f"‡ {printed(row)}, {_place(groups, setting)}{printed(domain)}: {len(flagged)} of "
                    f"{len(runs)} seeds call every clip {' or '.join(answers)}, "
                    "which is exactly a constant classifier's score"
                )
    return notes


def _failed(records: Iterable[Record], groups: Mapping[Setting, str]) -> list[str]:
    notes = []
    for record in records:
        if record.error is not None:
            place = _place(groups, Setting(record.setting, record.source_domains))
            reason = " ".join(record.error.split())
            notes.append(f"Failed: {printed(row_of(record))}, {place}seed {record.seed}: {reason}")
    return notes


def _budgets(records: Iterable[Record]) -> Iterator[str]:
    """Rows that are trained by gradient for other numbers of epochs, or on batches of other sizes, than others."""
    trained = [record for record in records if record.extra.get("epochs")]
    for key, what in (("epochs", "epochs, at most"), ("batch_size", "clips in a batch")):
        rows: dict[Any, dict[str, None]] = {}
        for record in trained:
            value = record.settings.get("training", {}).get(key)
            if value is not None:
                rows.setdefault(value, {})[row_of(record)] = None
        if len(rows) > 1:
            most = max(rows, key=lambda value: len(rows[value]))
            which = {
                value: "all others" if value == most and len(names) > 3 else _some(names)
                for value, names in rows.items()
            }
            said = "; ".join(f"{value} ({which[value]})" for value in sorted(rows))
            yield f"Not trained alike: {what}: {said}"


def _warned(records: Sequence[Record]) -> Iterator[str]:
    """What runs warned of, the most frequent first."""
    found: dict[str, list[Record]] = {}
    for record in records:
        for sentence in record.extra.get("warnings", ()):
            found.setdefault(str(sentence), []).append(record)
    for sentence, runs in sorted(found.items(), key=lambda item: -len(item[1])):
        rows = dict.fromkeys(map(row_of, runs))
        yield f"Warned, in {len(runs)} of {len(records)} runs ({_some(rows)}): {sentence}"


def notes_on_code(records: Sequence[Record]) -> list[str]:
    """Which revisions made the runs; nothing where it was one, of which all changes were committed."""
    made = dict.fromkeys(record.revision for record in records)
    dirty = sum(record.revision.endswith("+") for record in records)
    if len(made) > 1 or dirty:
        first, last = next(iter(made)), next(reversed(made))
        which = first if len(made) == 1 else f"{len(made)} revisions of the code, from {first} to {last}"
        changed = f"; {dirty} of {len(records)} runs by code with changes that were not committed" if dirty else ""
        return [f"Made by {which}{changed}"]
    return []


def _some(rows: Iterable[str], at_most: int = 6) -> str:
    names = [printed(row) for row in rows]
    rest = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + rest


def _place(groups: Mapping[Setting, str], setting: Setting) -> str:
    """What a run's setting is called in a table; where that has no name for it and others beside it, by itself."""
    if group := groups.get(setting):
        return f"{group}, "
    return f"{setting.name or 'from ' + '+'.join(setting.source_domains)}, " if len(groups) > 1 else ""


def _seeds(records: Iterable[Record]) -> str:
    numbers = sorted({len(runs) for runs in group_runs(records).values()})
    if not numbers:
        return "0 seeds"
    if len(numbers) == 1:
        return "1 seed (no interval)" if numbers == [1] else f"{numbers[0]} seeds"
    return f"{numbers[0]} to {numbers[-1]} seeds"


def _features(records: Iterable[Record]) -> str:
    """The features of all rows: ``text minilm 0.1.0, simulated video``."""
    names = dict.fromkeys(
        f"simulated {modality}"
        if feature.get("simulated")
        else " ".join(str(part) for part in (modality, feature.get("extractor"), feature.get("version")) if part)
        for record in records
        for modality, feature in record.features.items()
    )
    return ", ".join(names)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
