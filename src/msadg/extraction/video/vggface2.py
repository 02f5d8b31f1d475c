"""`vggface2`: 512 numbers that tell who a face is, and in passing how it looks: FaceNet, trained on VGGFace2.

Reference: Cao, Shen, Xie, Parkhi, Zisserman. "VGGFace2: A dataset for recognising faces across pose and age", FG 2018;
the network is InceptionResnetV1 (inception_resnet.py). The weights are not installed: they come from the hub or from
a local file, and their SHA-256 goes into the settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from msadg.errors import FeatureError
from msadg.extraction.extractor import JSON
from msadg.extraction.faces.align import box_crop
from msadg.extraction.faces.weights import SUFFIXES, load_weights
from msadg.extraction.file_hashes import hash_of_file
from msadg.extraction.hub import downloaded, fetched
from msadg.extraction.video.faces_in_video import FaceConfig, FaceDescriber, FaceExtractor, Sighting
from msadg.extraction.video.inception_resnet import EMBEDDING_DIM, SIDE, InceptionResnetV1
from msadg.settings import require

HUB_FILES = {"py-feat/facenet": "facenet_20180402_114759_vggface2.pth"}
"""The weight file in each known repository of the hub."""

RELEASE_FILE = "20180402-114759-vggface2.pt"
"""The same weights as a file of the release v2.2.9 of timesler/facenet-pytorch."""

FACES_AT_ONCE = 4
"""Always as many go through the network together, blank ones if need be: the last bits of a convolution depend on how
many pictures there are."""


@dataclass(frozen=True, kw_only=True)
class VGGFace2Config(FaceConfig):
    """How faces are found and cropped, and which weights describe them."""

    weights: str = "py-feat/facenet"
    """Repository on the hub, or a local .safetensors, .pt or .pth file."""
    revision: str | None = None
    """Commit or branch on the hub; None is the newest, or what was downloaded before."""
    sha256: str | None = None
    """What the weight file must hash to; None takes any and writes down its hash."""
    margin: int = 14
    """Pixels of the crop, of 160, that lie outside the detector's box: 14 as in the weights' published evaluation."""

    def __post_init__(self) -> None:
        super(VGGFace2Config, self).__post_init__()  # noqa: UP008 (a decorated dataclass is another class)
        require("margin", self.margin, at_least=0, at_most=SIDE - 1)


class VGGFace2(FaceExtractor):
    """The embedding of the speaker's face, of length 1.

    Raises:
        FeatureError: on first use, where the weights cannot be had, have another hash or belong to another network.
            This is no loss of a clip: it stops the extraction.
    """

    kind = "vggface2"
    version = "1"
    Config: ClassVar[type] = VGGFace2Config
    config: VGGFace2Config

    @property
    def dim(self) -> int:
        """Width of a feature vector."""
        return EMBEDDING_DIM

    @property
    def settings(self) -> Mapping[str, JSON]:
        """What decides the numbers; of the weights, the hash of the file and not where it lay."""
        settings = {key: value for key, value in super().settings.items() if key not in ("weights", "revision")}
        return settings | {"sha256": self.weights_sha256}

    @cached_property
    def weights_path(self) -> Path:
        """The local weight file; fetched from the hub where it must be."""
        return find_weights(self.config.weights, self.config.revision)

    @cached_property
    def weights_sha256(self) -> str:
        """The hash of the weight file, which is the one that was asked for, if one was."""
        met, expected = hash_of_file(self.weights_path), self.config.sha256
        if expected is not None and met != expected.strip().lower():
            raise FeatureError(
                f"{self.weights_path} has the SHA-256 {met}; expected {expected}. The file is damaged or is not the "
                f"one meant: fetch it again, or name the hash of the file that you mean"
            )
        return met

    @cached_property
    def network(self) -> InceptionResnetV1:
        """The network with its weights."""
        return load_network(self.weights_path, self.weights_sha256)

    def describer(self) -> FaceDescriber:
        """Return what describes the faces of the next clip."""
        return EmbeddingDescriber(self.network, self.config.margin)


class EmbeddingDescriber:
    """Describes a face by its embedding; remembers nothing."""

    def __init__(self, network: InceptionResnetV1, margin: int) -> None:
        self.network = network
        self.margin = margin

    def describe(self, sightings: Sequence[Sighting]) -> Float[np.ndarray, "face feature"]:
        """Return a vector for each face of some frames."""
        crops = np.stack([box_crop(s.image, s.box, SIDE, self.margin) for s in sightings])
        return np.concatenate(
            [self._embed(crops[at : at + FACES_AT_ONCE]) for at in range(0, len(crops), FACES_AT_ONCE)]
        )

    def _embed(self, crops: UInt8[np.ndarray, "face row column 3"]) -> Float[np.ndarray, "face feature"]:
        faces = torch.zeros(FACES_AT_ONCE, 3, SIDE, SIDE)
        faces[: len(crops)] = standardised(crops)
        with torch.inference_mode():
            embedded = self.network(faces.contiguous(memory_format=torch.channels_last))
        return embedded[: len(crops)].numpy()  # type: ignore[no-any-return]


def standardised(crops: UInt8[np.ndarray, "face row column 3"]) -> Float[Tensor, "face 3 row column"]:
    """Return RGB pixels as the network was fed them: (x - 127.5) / 128."""
    return (torch.from_numpy(crops).permute(0, 3, 1, 2).float() - 127.5) / 128


def load_network(path: Path, sha256: str | None) -> InceptionResnetV1:
    """Return the network with the weights of a file; a classifier in it (``logits``) is left out.

    Raises:
        FeatureError: the file cannot be read, has another hash, or holds another network.
    """
    content = load_weights(path, sha256=sha256)
    loaded = {name: value for name, value in content.items() if not name.startswith("logits.")}
    with torch.random.fork_rng(devices=[]):
        network = InceptionResnetV1().eval()
    own = network.state_dict()
    # Batch counts play no part in an evaluation, and older files lack them.
    counts = {name for name in own if name.endswith("num_batches_tracked")}
    missing = sorted(own.keys() - loaded.keys() - counts)
    extra = sorted(loaded.keys() - own.keys())
    misshapen = sorted(name for name in own.keys() & loaded.keys() if own[name].shape != loaded[name].shape)
    if missing or extra or misshapen:
        what = [
            f"{len(names)} {kind} (first: {names[0]})"
            for kind, names in (("missing", missing), ("unknown", extra), ("of another shape", misshapen))
            if names
        ]
        raise FeatureError(
            f"{path} does not hold the weights of InceptionResnetV1: of its {len(own)} tensors and the file's, "
            f"{', '.join(what)}; expected a file such as {RELEASE_FILE} of timesler/facenet-pytorch"
        )
    network.load_state_dict(loaded, strict=False)
    network.requires_grad_(False)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def find_weights(weights: str, revision: str | None = None) -> Path:
    """Return a local weight file, or that of a repository on the hub; what was downloaded before is used first.

    Raises:
        FeatureError: there is none, and it cannot be fetched.
    """
    path = Path(weights).expanduser()
    if path.suffix in SUFFIXES or path.exists():
        if not path.is_file():
            raise FeatureError(f"{weights}: no such weight file; {_ways_out()}")
        return path
    file = HUB_FILES.get(weights, RELEASE_FILE)
    try:
        return fetched(weights, file, revision)
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise FeatureError(f"{file} of {weights!r} cannot be fetched from the hub ({reason}); {_ways_out()}") from error


def has_weights() -> bool:
    """Whether the weights that are taken by default were downloaded before; asks nobody."""
    weights = VGGFace2Config.weights
    return downloaded(weights, HUB_FILES[weights]) is not None


def _ways_out() -> str:
    return (
        f"give the file {RELEASE_FILE} of the release v2.2.9 of timesler/facenet-pytorch as "
        f"`vggface2:weights=PATH`, or take `hog`, which needs no weights"
    )
