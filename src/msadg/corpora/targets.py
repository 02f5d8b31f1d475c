"""What features can be made of: a corpus by name, a manifest, or a folder of clips; labelled or not."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msadg.corpora.catalog import (
    CORPORA,
    check_domain_name,
    corpus_root,
    manifest_in,
    open_corpus,
    published_in,
    unknown_corpus,
    without_counts,
)
from msadg.corpora.corpus import Corpus
from msadg.corpora.folder import clips_of_folder
from msadg.corpora.manifest import ManifestCorpus, is_labelled, read_clips
from msadg.errors import CorpusError, MsadgWarning, UsageError
from msadg.types import Clip, LabelReading, Utterance

MANIFEST_SUFFIXES = (".csv", ".parquet", ".pq")


@dataclass(frozen=True, kw_only=True)
class Target:
    """The clips of one domain."""

    domain: str
    clips: Sequence[Clip]
    """Utterances, where they are labelled."""
    source: str | None
    """What ``msadg train --source`` calls it; None where the clips have no labels."""


def open_target(
    text: str,
    *,
    domain: str | None = None,
    labels: LabelReading = "round",
    data_root: Path | None = None,
    allow_empty_text: bool = False,
    apart_from: Path | None = None,
) -> Target:
    """Read the clips that ``text`` names.

    Args:
        text: ``mosi``, ``mine=reviews/clips.csv``, ``reviews/clips.csv``, or a folder. A folder that holds one of
            MANIFEST_NAMES is read by it, one that holds a published corpus's own tables as that corpus under another
            name; any other is a clip for each media file.
        domain: name of the domain of a manifest or folder; by default that of the file or folder.
        labels: how a polarity is read as a class.
        data_root: folder of the corpora.
        allow_empty_text: read labelled clips without a transcript too.
        apart_from: a folder that is no part of a folder of clips: where stores are written.

    Raises:
        UnknownNameError: no corpus of that name, nor a file or folder.
        UsageError: a domain name that cannot be, or for a corpus that has one.
        CorpusError: what is there cannot be read.

    Warns:
        MsadgWarning: a corpus has not as many clips as its card says; those that are there are read.
    """
    name, equals, rest = text.partition("=")
    is_named = bool(equals) and not Path(text).exists()
    path = Path(rest if is_named else text)
    if not is_named and (text in CORPORA or not (path.exists() or _looks_like_a_path(text))):
        return _corpus_target(text, domain, labels, data_root, allow_empty_text)
    if is_named:
        if not rest or domain not in (None, name):
            raise UsageError(f"{text}: expected name=path, and no other name by --domain")
        domain = name
    if not path.exists():
        raise CorpusError(f"{path} is not there; expected a manifest or a folder of clips")
    domain = check_domain_name(domain if domain is not None else domain_of(path), path)
    if path.is_dir():
        manifest = manifest_in(path)
        if manifest is None:
            return _folder_target(path, domain, labels, allow_empty_text, apart_from)
        path = manifest
    elif path.suffix.lower() not in MANIFEST_SUFFIXES:
        raise UsageError(
            f"{path} is neither a folder nor a manifest ({', '.join(MANIFEST_SUFFIXES)}); give a clip's folder"
        )
    return _manifest_target(path, domain, labels, allow_empty_text)


def domain_of(path: Path) -> str:
    """Return the name of the domain that a folder or manifest is taken for: its own, without blanks.

    Example:
        >>> domain_of(Path("media/my clips")), domain_of(Path("reviews.v2.csv"))
        ('my-clips', 'reviews.v2')
    """
    name = path.resolve().name if path.is_dir() or path.suffix.lower() not in MANIFEST_SUFFIXES else path.stem
    return re.sub(r"[\s/=]+", "-", name.strip())


def _looks_like_a_path(text: str) -> bool:
    return "/" in text or text.lower().endswith(MANIFEST_SUFFIXES)


def _corpus_target(
    name: str, domain: str | None, labels: LabelReading, data_root: Path | None, allow_empty_text: bool
) -> Target:
    if name not in CORPORA:
        raise unknown_corpus(name)
    if domain is not None and domain != name:
        raise UsageError(f"{name} is the name of its domain; --domain {domain} goes with a manifest or a folder")
    corpus = open_corpus(name, labels, corpus_root(name, data_root), allow_empty_text=allow_empty_text)
    return Target(domain=corpus.name, clips=_as_met(corpus), source=name)


def _as_met(corpus: Corpus) -> tuple[Utterance, ...]:
    """Return what there is of a corpus: features do not depend on how many clips have them."""
    differences = corpus.check().differences
    if differences:
        message = (
            f"{corpus.name}: {'; '.join(differences)}. What is there is read; `msadg train` and `evaluate` refuse it "
            f"under this name. To use a part or a variant, give its folder a name of its own: "
            f"my-{corpus.name}={corpus.root}"
        )
        warnings.warn(MsadgWarning(message), stacklevel=4)
        without_counts(corpus)
    return tuple(corpus.all_utterances())


def _folder_target(
    folder: Path, domain: str, labels: LabelReading, allow_empty_text: bool, apart_from: Path | None
) -> Target:
    corpus = published_in(folder, domain, labels, allow_empty_text)
    if corpus is None:
        return Target(domain=domain, clips=clips_of_folder(folder, domain, apart_from=apart_from), source=None)
    return Target(domain=domain, clips=tuple(corpus.all_utterances()), source=f"{domain}={folder}")


def _manifest_target(path: Path, domain: str, labels: LabelReading, allow_empty_text: bool) -> Target:
    if not is_labelled(path, domain):
        return Target(domain=domain, clips=read_clips(path, domain), source=None)
    corpus = ManifestCorpus(path, name=domain, labels=labels, allow_empty_text=allow_empty_text)
    return Target(domain=domain, clips=tuple(corpus.all_utterances()), source=f"{domain}={path}")
