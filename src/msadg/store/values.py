"""The values and marks of a clip as a store keeps them, checked at the door."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Shaped

from msadg.errors import FeatureError
from msadg.store.manifest import Manifest
from msadg.types import Features


class UnusableValuesError(FeatureError):
    """Values of one clip that no model can take: NaN, inf, or too large for the store's type."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.what = what
        """Without the store and the clip."""


def stored_values(
    features: Features, manifest: Manifest, *, where: str
) -> tuple[Shaped[np.ndarray, "time feature"], tuple[tuple[int, int], ...]]:
    """Return a clip's values in the store's type, zero where not valid, and the ranges that are not valid.

    Args:
        features: of one clip.
        manifest: of the store.
        where: store and clip, for messages.

    Raises:
        FeatureError: not as wide as the store.
        UnusableValuesError: NaN, inf, beyond the range of the store's type, or not whole in a store of integers.
    """
    values = features.values
    if values.shape[1] != manifest.dim:
        raise FeatureError(
            f"{where} has {values.shape[1]} features a step, this store of {manifest.extractor} has {manifest.dim}; "
            "extract it with the same extractor and settings"
        )
    if not features.valid.all():
        values = np.where(features.valid[:, None], values, np.zeros((), values.dtype))
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        step = int(np.argmin(finite))
        wrong = values[step][~np.isfinite(values[step])][0]
        raise UnusableValuesError(
            where, f"step {step} is {wrong} ({(~finite).sum()} of {len(values)} steps are NaN or inf)"
        )
    return _cast(values, np.dtype(manifest.dtype), where), _ranges(~features.valid)


def stored_marks(features: Features, manifest: Manifest, *, where: str) -> Float[np.ndarray, "time mark"]:
    """Return a clip's marks as float32, NaN where nothing is known; no columns where the store has no marks.

    Raises:
        FeatureError: there are others than the store keeps, or not one row a step.
    """
    marks = features.marks if features.marks is not None else np.zeros((len(features.values), 0))
    expected = (len(features.values), len(manifest.marks))
    if marks.shape != expected:
        raise FeatureError(
            f"{where} has marks of {marks.shape[0]} steps x {marks.shape[1]}; {manifest.extractor} says that it marks "
            f"{expected[0]} steps with {', '.join(manifest.marks) or 'nothing'}: a fault of the extractor"
        )
    return marks.astype(np.float32)


def _cast(values: np.ndarray, dtype: np.dtype, where: str) -> np.ndarray:
    if values.dtype == dtype:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        cast = values.astype(dtype)
    held = cast == values if dtype.kind == "i" else np.isfinite(cast)
    if not held.all():
        step = int(np.argmin(held.all(axis=1)))
        wrong = values[step][~held[step]][0]
        raise UnusableValuesError(where, f"step {step} holds {wrong}, which {dtype} cannot")
    return cast


def _ranges(flags: Bool[np.ndarray, " time"]) -> tuple[tuple[int, int], ...]:
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0)).tolist()
    return tuple(zip(edges[::2], edges[1::2], strict=True))
