"""The corpora that are known by name, and how to open one."""

from __future__ import annotations

import os
from pathlib import Path

from msadg.corpora.corpus import Corpus
from msadg.corpora.manifest import ManifestCorpus
from msadg.corpora.meld import Meld
from msadg.corpora.mosei import Mosei
from msadg.corpora.mosi import Mosi
from msadg.corpora.simulated import SimulatedA, SimulatedB, SimulatedC, SimulatedCorpus
from msadg.corpora.vignettes import VignetteCorpus, VignettesFilms, VignettesProducts, VignettesSitcom
from msadg.errors import CorpusError, UnknownNameError, UsageError
from msadg.types import LabelReading

CORPORA: dict[str, type[Corpus]] = {
    corpus.name: corpus
    for corpus in (
        *(Mosi, Mosei, Meld),
        *(VignettesProducts, VignettesFilms, VignettesSitcom),
        *(SimulatedA, SimulatedB, SimulatedC),
    )
}
"""By name; a manifest of the user's own is opened as ``name=path``."""


def open_corpus(
    spec: str, labels: LabelReading = "round", root: Path | None = None, *, allow_empty_text: bool = False
) -> Corpus:
    """Open a corpus by its name, or a manifest as ``name=path``.

    Args:
        spec: ``mosi``, ``vignettes-films`` ..., or ``mine=reviews/clips.csv``.
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
        return _open_manifest(name, path, labels, allow_empty_text)
    if name not in CORPORA:
        raise UnknownNameError("corpus", name, CORPORA)
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


def _open_manifest(name: str, path: str, labels: LabelReading, allow_empty_text: bool) -> ManifestCorpus:
    if not path:
        raise UsageError(f"{name}=: a manifest is given as name=path")
    check_domain_name(name, path)
    return ManifestCorpus(Path(path), name=name, labels=labels, allow_empty_text=allow_empty_text)


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
        raise UsageError(f"{name}={path}: {name!r} is a known corpus; give your clips another name: my-{name}={path}")
    return name


def _data_folder(name: str) -> Path:
    folder = os.environ.get("MSADG_DATA")
    if not folder:
        raise CorpusError(
            f"{name}: MSADG_DATA is not set; set it to the folder that holds {name}/, or give the corpus's own folder "
            f"as root"
        )
    return Path(folder)
