"""From stores to batches: which clips share one, and how they are padded."""

from msadg.batches.clips import ClipSet, joined
from msadg.batches.dropout import drop_modalities
from msadg.batches.sampling import balanced_batches, length_grouped_batches, sequential_batches

__all__ = ["ClipSet", "balanced_batches", "drop_modalities", "joined", "length_grouped_batches", "sequential_batches"]
