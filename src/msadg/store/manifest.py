"""The manifest of a feature store: what made the features, and what the store holds once it is complete."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from msadg.errors import StoreError
from msadg.extraction.extractor import JSON, Extractor
from msadg.store.atomic import write_text

FORMAT = 1
"""Version of the files in a store."""
DTYPES = ("float16", "float32", "int32")
FILE_NAME = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What made the features of a store."""

    extractor: str
    """Its name: ``text-minilm``."""
    modality: str
    version: str
    settings: Mapping[str, JSON]
    dim: int
    """Features a step."""
    dtype: str = "float16"
    """One of DTYPES, as on disk."""
    marks: tuple[str, ...] = ()
    """Names of what is kept of each step beside its features, in the order of their columns."""
    clips: int | None = None
    """Clips with features; None, as the three below, until the store is complete."""
    steps: int | None = None
    lost: int | None = None
    """Clips without features."""
    inputs_sha256: str | None = None
    """Hash of every clip id with the hash of its input, in the order of the clip ids."""

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise StoreError(f"a store of {self.extractor} cannot hold {self.dtype!r}; known: {', '.join(DTYPES)}")
        # What JSON changes (a tuple becomes a list) is changed before anything is compared or hashed.
        object.__setattr__(self, "settings", json.loads(json.dumps(dict(self.settings))))

    @classmethod
    def of(cls, extractor: Extractor) -> Manifest:
        """Return the manifest of a store still to be filled by ``extractor``."""
        return cls(
            extractor=extractor.name,
            modality=extractor.modality,
            version=extractor.version,
            settings=extractor.settings,
            dim=extractor.dim,
            dtype=extractor.dtype,
            marks=extractor.marks,
        )

    @property
    def identity(self) -> dict[str, JSON]:
        """What two stores must share for their features to mean the same."""
        return {"extractor": self.extractor, "version": self.version, "settings": dict(self.settings)}

    @property
    def digest(self) -> str:
        """SHA-256 of extractor, version and settings: the same for every store that the extractor fills."""
        return hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()

    def unfinished(self) -> Manifest:
        """Return the manifest as it was before anything was stored."""
        return replace(self, clips=None, steps=None, lost=None, inputs_sha256=None)

    def completed(self, *, clips: int, steps: int, lost: int, inputs_sha256: str) -> Manifest:
        """Return the manifest of the store once all of it is there."""
        return replace(self, clips=clips, steps=steps, lost=lost, inputs_sha256=inputs_sha256)

    def write(self, folder: Path) -> None:
        """Write the manifest into a store's folder, whole or not at all."""
        fields = {"format": FORMAT, **asdict(self), "digest": self.digest}
        if not self.marks:  # As it was before there were any.
            del fields["marks"]
        write_text(folder / FILE_NAME, json.dumps(fields, indent=2) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of the store in ``folder``.

    Raises:
        StoreError: there is none, or it is damaged or of another format.
    """
    path = folder / FILE_NAME
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        written_as, digest = fields.pop("format"), fields.pop("digest")
        if written_as != FORMAT:
            raise StoreError(f"{path}: written as format {written_as}, this msadg reads {FORMAT}; extract again")
        manifest = Manifest(**{**fields, "marks": tuple(fields.get("marks", ()))})
    except FileNotFoundError:
        raise StoreError(f"{folder} is no feature store: it has no {FILE_NAME}; `msadg extract` makes one") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} is damaged ({error}); delete {folder} and extract again") from error
    if manifest.digest != digest:
        raise StoreError(
            f"{path}: its settings were changed by hand (digest {digest[:12]} stands there, "
            f"{manifest.digest[:12]} was computed); restore it, or delete {folder} and extract again"
        )
    return manifest


def check_same_extractor(folder: Path, stored: Manifest, asked: Manifest) -> None:
    """Stop where a store was written by another extractor, version or setting than is asked for.

    Raises:
        StoreError: names both and how they differ.
    """
    if stored.unfinished() == asked.unfinished():
        return
    differences = differences_between(asdict(stored.unfinished()), asdict(asked.unfinished()))
    raise StoreError(
        f"{folder} was written by {stored.extractor} (version {stored.version}), asked for was {asked.extractor} "
        f"(version {asked.version}), and they differ: {differences}. Choose another folder (--stores FOLDER), or "
        "delete this one"
    )


def differences_between(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Say in what two manifests, or their identities, differ; setting by setting."""
    before, now = (
        {key: value for key, value in side.items() if key != "settings"}
        | {f"settings.{key}": value for key, value in side["settings"].items()}
        for side in (there, here)
    )
    return "; ".join(
        f"{key} is {before.get(key)!r} there and {now.get(key)!r} here"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    )
