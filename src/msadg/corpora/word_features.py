"""Features for each word of a punchline and of the sentences before it, as UR-FUNNY publishes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from msadg.corpora.published import entry_told
from msadg.corpora.restricted_pickle import load_restricted


def read_vectors(path: Path) -> Float[np.ndarray, "vocabulary feature"]:
    """Return the vector of each word of the published vocabulary.

    Raises:
        CorpusError: not there, or not one vector for each word.
    """
    content = load_restricted(path)
    with entry_told(str(path)):
        vectors = np.asarray(content, dtype=np.float32)
        if vectors.ndim != 2:
            raise ValueError(f"the vectors have shape {vectors.shape}; expected word x feature")
    return vectors


def words_of(
    entry: Mapping[str, Any], vectors: Float[np.ndarray, "vocabulary feature"] | None = None
) -> Shaped[np.ndarray, "word feature"]:
    """Return the features of a clip's words in the order in which they are said: the context, then the punchline.

    Args:
        entry: ``context_features`` (for each sentence, for each word, its features) and ``punchline_features``; where
            there are vectors, ``context_embedding_indexes`` and ``punchline_embedding_indexes``.
        vectors: what the indices are looked up in.

    Raises:
        ValueError, LookupError: the entry is not of this form.
    """
    key = "features" if vectors is None else "embedding_indexes"
    sentences: Sequence[Any] = [*entry[f"context_{key}"], entry[f"punchline_{key}"]]
    arrays = [np.asarray(sentence) for sentence in sentences if len(sentence)]
    if vectors is not None:
        arrays = [_looked_up(indices, vectors) for indices in arrays]
    for array in arrays:
        if array.ndim != 2 or array.shape[1] != arrays[0].shape[-1]:
            raise ValueError(f"a sentence has shape {array.shape}; expected word x feature, of one width")
    if not arrays:  # nothing was said, or no word of it has features
        return np.zeros((0, 1 if vectors is None else vectors.shape[1]), dtype=np.float32)
    return np.concatenate(arrays)


def _looked_up(
    indices: np.ndarray, vectors: Float[np.ndarray, "vocabulary feature"]
) -> Float[np.ndarray, "said feature"]:
    if indices.dtype.kind not in "iu" or indices.ndim != 1:
        raise ValueError(f"the words are {indices.dtype} of shape {indices.shape}; expected a list of indices")
    if indices.min() < 0 or indices.max() >= len(vectors):
        raise ValueError(f"word {indices.min()} or {indices.max()} is none of the vocabulary's {len(vectors)}")
    said: np.ndarray = vectors[indices]
    return said
