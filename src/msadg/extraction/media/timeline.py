"""The time axis that every modality of a clip shares: seconds from the beginning of its file."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

RATE = 5.0
"""Steps a second of video and sound, unless a setting says otherwise."""


def step_starts(start_seconds: float, end_seconds: float, rate: float) -> Float[np.ndarray, " time"]:
    """Return the times start + k / rate that lie before ``end_seconds``: where the steps of a clip begin.

    At least one, for a clip that is shorter than a step; none for one that does not last at all.

    Example:
        >>> step_starts(1.0, 1.5, 5.0).tolist()
        [1.0, 1.2, 1.4]
    """
    if end_seconds <= start_seconds:
        return np.zeros(0)
    # 1e-6: a clip of 2 s holds 10 steps of 0.2 s, however its end was rounded.
    num_steps = max(int(np.ceil((end_seconds - start_seconds) * rate - 1e-6)), 1)
    return start_seconds + np.arange(num_steps) / rate
