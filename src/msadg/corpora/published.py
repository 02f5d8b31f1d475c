"""Published feature sequences on their way in: what cannot be read becomes an invalid step, and is counted."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Shaped

from msadg.errors import CorpusError, MsadgWarning
from msadg.types import Features


@contextmanager
def entry_told(where: str) -> Iterator[None]:
    """Turn whatever an unreadable entry of a feature file raises into an error that names it.

    Raises:
        CorpusError: an entry is not what it has to be.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, OSError) as error:
        raise CorpusError(
            f"{where}: cannot be read ({type(error).__name__}: {error}); mend this entry, or fetch the file again"
        ) from error


@dataclass
class SequenceReader:
    """Reads the sequences of one file in one modality and keeps count of its faults."""

    path: Path
    modality: str
    num_bad_steps: int = 0
    num_bad_clips: int = 0
    first_bad: str = ""
    num_beyond: int = 0

    def read(
        self, clip_id: str, values: Shaped[np.ndarray, "time feature"], valid: Bool[np.ndarray, " time"]
    ) -> Features:
        """Cut a padded sequence to its last valid step; a step with NaN or inf becomes invalid.

        Raises:
            CorpusError: the values are not numbers.
        """
        if values.dtype.kind not in "fiu":
            raise CorpusError(f"{self.path}: {self.modality} of {clip_id} is {values.dtype}; expected numbers")
        length = int(valid.nonzero()[0][-1]) + 1 if valid.any() else 0
        if self.modality != "text":  # a text encoder fills its padding, the others leave zeros
            self.num_beyond += int(np.any(values[length:] != 0, axis=1).sum())
        kept = values[:length].astype(np.float32)
        finite = np.isfinite(kept).all(axis=1)
        bad = valid[:length] & ~finite
        if bad.any():
            self.num_bad_steps += int(bad.sum())
            self.num_bad_clips += 1
            self.first_bad = self.first_bad or clip_id
        usable = valid[:length] & finite
        kept[~usable] = 0
        return Features(kept, usable)

    def warn(self) -> None:
        """Say what was met, once, with its count."""
        if self.num_bad_steps:
            warnings.warn(
                MsadgWarning(
                    f"{self.path}: {self.num_bad_steps} {self.modality} steps are -inf, inf or NaN, in "
                    f"{self.num_bad_clips} utterances (first: {self.first_bad}); they are marked invalid"
                ),
                stacklevel=3,
            )
        if self.num_beyond:
            warnings.warn(
                MsadgWarning(
                    f"{self.path}: {self.num_beyond} {self.modality} steps beyond the stated lengths are not zero; "
                    f"they are left out"
                ),
                stacklevel=3,
            )


def shortest_decimal(value: np.floating | float) -> float:
    """Return the number that a label stored in single precision was written as.

    Example:
        >>> shortest_decimal(np.float32(2.4)), float(np.float32(2.4))
        (2.4, 2.4000000953674316)
    """
    return float(str(value))
