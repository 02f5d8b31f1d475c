"""The corpora that are known by name, and how to open one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from msadg.corpora.ch_sims import ChSims, ChSimsV2
from msadg.corpora.corpus import Corpus
from msadg.corpora.manifest import ManifestCorpus
from msadg.corpora.meld import Meld
from msadg.corpora.mosei import Mosei
from msadg.corpora.mosi import Mosi
from msadg.corpora.simulated import SimulatedA, SimulatedB, SimulatedC, SimulatedCorpus
from msadg.corpora.simulated_shift import SHIFTED
from msadg.corpora.ur_funny import UrFunny
from msadg.corpora.vignettes import VignetteCorpus, VignettesFilms, VignettesProducts, VignettesSitcom
from msadg.errors import CorpusError, UnknownNameError, UsageError
from msadg.types import SPLITS, LabelReading

CORPORA: dict[str, type[Corpus]] = {
    corpus.name: corpus
    for corpus in (
        *(Mosi, Mosei, Meld, ChSims, ChSimsV2, UrFunny),
        *(VignettesProducts, VignettesFilms, VignettesSitcom),
        *(SimulatedA, SimulatedB, SimulatedC, *SHIFTED),
    )
}
"""By name; a manifest of the user's own is opened as ``name=path``."""

MANIFEST_NAMES = ("manifest.csv", "manifest.parquet", "clips.csv", "clips.parquet", "label.csv")
"""What a folder's manifest is called, most preferred first."""

PUBLISHED_TABLES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((f"{split}_sent_emo.csv" for split in SPLITS), ("meld",)),
    **dict.fromkeys(("aligned_50.pkl", "unaligned_50.pkl"), ("mosi", "mosei")),
    "CMU_MOSI_Opinion_Labels.csd": ("mosi",),
    "CMU_MOSEI_Labels.csd": ("mosei",),
    "unaligned_39.pkl": ("ch-sims",),
    "humor_label_sdk.pkl": ("ur-funny",),
}
"""Files by which a folder is known to hold a published corpus, and which corpora have such a file."""


def open_corpus(
    spec: str, labels: LabelReading = "round", root: Path | None = None, *, allow_empty_text: bool = False
) -> Corpus:
    """Open a corpus by its name, or a manifest as ``name=path``.

    Args:
        spec: ``mosi``, ``vignettes-films`` ..., or ``mine=reviews/clips.csv``; ``mine=reviews`` is the manifest in
            that folder, or the published corpus in it, of which counts are then not expected.
        labels: How a polarity is read as a class.
        root: The corpus's own folder; by default ``$MSADG_DATA/<name>``. The vignettes need none.
        allow_empty_text: Read clips without a transcript too: for extraction from video or sound.

    Raises:
        UnknownNameError: no corpus of that name.
        UsageError: a manifest under a name that cannot be, or that a known corpus has.
        CorpusError: its data are not there; says where it looked and what to set.
    """
    name, is_manifest, path = spec.partition("=")
    if is_manifest:
        return _open_own(name, path, labels, allow_empty_text)
    if name not in CORPORA:
        raise unknown_corpus(name)
    corpus = CORPORA[name]
    if issubclass(corpus, VignetteCorpus | SimulatedCorpus):
        return corpus(root, labels)
    if root is None:
        root = _data_folder(name) / name
    if not root.is_dir():
        raise CorpusError(
            f"{name}: there is no folder {root}; set MSADG_DATA to the folder that holds {name}/, or give the corpus's "
            f"own folder as root"
        )
    return corpus(root, labels, allow_empty_text=allow_empty_text)


def corpus_root(spec: str, data_root: Path | None) -> Path | None:
    """The corpus's own folder below the folder of all corpora.

    None for what needs none (a manifest, the vignettes, simulated corpora) or follows MSADG_DATA.
    """
    needs_files = spec in CORPORA and not issubclass(CORPORA[spec], VignetteCorpus | SimulatedCorpus)
    return data_root / spec if data_root is not None and needs_files else None


def unknown_corpus(name: str) -> UnknownNameError:
    """Return the error that ``name`` is no corpus, which says whether there is a file or folder of that name."""
    error = UnknownNameError("corpus", name, CORPORA)
    own = f"; a file or folder of your own is given as name=path: mine={name}"
    error.args = (f"{error}{own if Path(name).exists() else '; nor is there a file or folder of that name'}",)
    return error


def _open_own(name: str, path: str, labels: LabelReading, allow_empty_text: bool) -> Corpus:
    if not path:
        raise UsageError(f"{name}=: a manifest is given as name=path")
    check_domain_name(name, path)
    manifest: Path | None = Path(path)
    if Path(path).is_dir():
        manifest = manifest_in(Path(path))
        if manifest is None and (corpus := published_in(Path(path), name, labels, allow_empty_text)) is not None:
            return corpus
    if manifest is None:
        raise CorpusError(
            f"{path}: there is no manifest in this folder; looked for {', '.join(MANIFEST_NAMES)}. Without one its "
            f"clips have neither labels nor splits"
        )
    return ManifestCorpus(manifest, name=name, labels=labels, allow_empty_text=allow_empty_text)


def manifest_in(folder: Path) -> Path | None:
    """Return the manifest of a folder of clips; None where there is none."""
    return next((folder / name for name in MANIFEST_NAMES if (folder / name).is_file()), None)


def published_in(folder: Path, name: str, labels: LabelReading, allow_empty_text: bool) -> Corpus | None:
    """Return the published corpus whose tables lie in a folder, under another name; None where there are none.

    It may be a part of the corpus or a variant: its counts are not held against the card.

    Raises:
        UsageError: the tables are those of one of several corpora; says how to name which.
        CorpusError: some of its tables are missing.
    """
    files = (Path(top) / table for top in ("", "Processed") for table in PUBLISHED_TABLES)
    table = next((file for file in files if (folder / file).is_file()), None)
    if table is None:
        return None
    first, *others = PUBLISHED_TABLES[table.name]
    if others:
        raise UsageError(
            f"{folder} holds {table}, a table of {' or '.join((first, *others))}: name the corpus, and by --data-root "
            f"or the variable MSADG_DATA the folder in which it lies as {first}/ or as {'/, '.join(others)}/. For a "
            f"part of it, write a manifest (manifest.csv)"
        )
    corpus = without_counts(CORPORA[first](folder, labels, allow_empty_text=allow_empty_text))
    corpus.name = name
    return corpus


def without_counts(corpus: Corpus) -> Corpus:
    """Return the same corpus, no longer expected to have as many clips as its card says."""
    corpus.card = replace(corpus.card, class_counts={}, sizes=None, num_dropped=None)
    return corpus


def check_domain_name(name: str, path: str | Path) -> str:
    """Return the name under which a manifest or folder of the user's own is opened, if it can be one.

    Raises:
        UsageError: it is empty, has a space, slash or equals sign, or a known corpus has it.
    """
    if not name or name in (".", "..") or any(character in "/=" or character.isspace() for character in name):
        raise UsageError(
            f"{name}={path}: a manifest is given as name=path, and its name has neither space, slash nor equals sign"
        )
    if name in CORPORA:
        known = f"; for {name} itself, give its name and --data-root" if Path(path).is_dir() else ""
        raise UsageError(
            f"{name}={path}: {name!r} is a known corpus; give your clips another name: my-{name}={path}{known}"
        )
    return name


def _data_folder(name: str) -> Path:
    folder = os.environ.get("MSADG_DATA")
    if not folder:
        raise CorpusError(
            f"{name}: MSADG_DATA is not set; set it to the folder that holds {name}/, or give the corpus's own folder "
            f"as root"
        )
    return Path(folder)
