"""What can go wrong, as a family.

    MsadgError              what a user can cause and mend; the command prints its message and stops with status 1
    |-- UsageError          asked for something that cannot be (status 2)
    |   `-- UnknownNameError    a name that is not known; says which ones are, nearest first
    |-- SettingsError       a recipe or ``--set`` with an unknown key or a value out of range
    |-- CorpusError         a published file or manifest that is not what its card says
    |-- FeatureError        features that a model cannot take: NaN, inf, wrong width, wrong extractor
    |-- MediaError          a video or sound that cannot be decoded, or shows nothing to extract
    |-- StoreError          a feature store that cannot be read, or written (a full disk)
    `-- RunError            a run folder that exists, is damaged, or does not fit its data
    MsadgWarning            something was skipped, clipped or repaired; says how often

Checks stand at the doors (files, arguments, configuration); inside the house values are trusted.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MsadgError(Exception):
    """What a user can cause and mend: the message says what was met, what was expected, what to do."""

    exit_status = 1


class UsageError(MsadgError):
    """Asked for something that cannot be."""

    exit_status = 2


class UnknownNameError(UsageError):
    """A name that is not known.

    Example:
        >>> raise UnknownNameError("corpus", "mossi", ["meld", "mosei", "mosi"])
        Traceback (most recent call last):
        msadg.errors.UnknownNameError: unknown corpus 'mossi'; did you mean 'mosi'? known: meld, mosei, mosi
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown {kind} {name!r}; {nearest_name(name, known)}known: {', '.join(sorted(known))}")


class SettingsError(MsadgError):
    """A recipe or ``--set`` with an unknown key or a value out of range."""

    exit_status = 2


class CorpusError(MsadgError):
    """A published file or manifest that is not what its card says."""


class FeatureError(MsadgError):
    """Features that a model cannot take."""


class MediaError(MsadgError):
    """A video or sound that cannot be decoded, or shows nothing to extract; a clip that raises it is a loss.

    Args:
        stage: where it stopped: ``open``, ``decode``, ``time``, ``face``, ``sound``, ``transcript``, ``import``.
        reason: a sentence with what was met, and with the file's name.
    """

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason

    def __reduce__(self) -> tuple[type[MediaError], tuple[str, str]]:
        return MediaError, (self.stage, self.reason)


class StoreError(MsadgError):
    """A feature store that cannot be read or written."""


class RunError(MsadgError):
    """A run folder that exists already, is damaged, or does not fit the data at hand."""


class MsadgWarning(UserWarning):
    """Something was skipped, clipped or repaired; the message counts it."""


def nearest_name(name: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'? " for the nearest known name, or "" where none is near."""
    by_lower = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(name.casefold(), list(by_lower), n=1, cutoff=0.5)
    return f"did you mean {by_lower[near[0]]!r}? " if near else ""
