"""InceptionResnetV1: the network of FaceNet's published weights, from a face of 160 pixels to 512 numbers.

Reference: Schroff, Kalenichenko, Philbin. "FaceNet: A Unified Embedding for Face Recognition and Clustering", CVPR
2015; the network is of Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning", AAAI 2017, as D. Sandberg trained it on VGGFace2 (model 20180402-114759).
Names and shapes of the parameters are those of the weights that timesler/facenet-pytorch converted, so that they load.
Departures: no classifier (``logits``) and no dropout, which an embedding does not use.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

EMBEDDING_DIM = 512
SIDE = 160
"""Pixels of the faces that the weights were trained on."""


class ConvUnit(nn.Module):
    """Convolution, batch norm, ReLU; keeps the picture's size unless ``stride`` or ``pad=False`` says otherwise."""

    def __init__(
        self, before: int, after: int, kernel: int | tuple[int, int] = 1, stride: int = 1, pad: bool = True
    ) -> None:
        super().__init__()
        rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (rows // 2, columns // 2) if pad and stride == 1 else (0, 0)
        self.conv = nn.Conv2d(before, after, (rows, columns), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=1e-3)

    def forward(self, x: Float[Tensor, "batch before row column"]) -> Float[Tensor, "batch after row2 column2"]:
        """Return what the unit sees."""
        return F.relu(self.bn(self.conv(x)))


class ResidualBlock(nn.Module):
    """x + scale x (what the branches see, brought to x's width), then ReLU: Inception-ResNet's A, B and C blocks."""

    def __init__(self, width: int, branches: list[nn.Module], joined: int, scale: float, *, relu: bool = True) -> None:
        super().__init__()
        self.num_branches = len(branches)
        for number, branch in enumerate(branches):
            self.add_module(f"branch{number}", branch)
        self.conv2d = nn.Conv2d(joined, width, 1)
        self.scale, self.relu = scale, relu

    def forward(self, x: Float[Tensor, "batch width row column"]) -> Float[Tensor, "batch width row column"]:
        """Return x with what the branches add to it."""
        seen = torch.cat([self.get_submodule(f"branch{n}")(x) for n in range(self.num_branches)], dim=1)
        out = x + self.scale * self.conv2d(seen)
        return F.relu(out) if self.relu else out


class Reduction(nn.Module):
    """Halves the picture: strided branches beside a max pooling."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.num_branches = len(branches)
        for number, branch in enumerate(branches):
            self.add_module(f"branch{number}", branch)

    def forward(self, x: Float[Tensor, "batch before row column"]) -> Float[Tensor, "batch after row2 column2"]:
        """Return what the branches and the pooling see, side by side."""
        seen = [self.get_submodule(f"branch{n}")(x) for n in range(self.num_branches)]
        return torch.cat([*seen, F.max_pool2d(x, 3, 2)], dim=1)


def block_a() -> ResidualBlock:
    """Published as Block35."""
    two = nn.Sequential(ConvUnit(256, 32), ConvUnit(32, 32, 3))
    three = nn.Sequential(ConvUnit(256, 32), ConvUnit(32, 32, 3), ConvUnit(32, 32, 3))
    return ResidualBlock(256, [ConvUnit(256, 32), two, three], 96, 0.17)


def block_b() -> ResidualBlock:
    """Published as Block17."""
    long = nn.Sequential(ConvUnit(896, 128), ConvUnit(128, 128, (1, 7)), ConvUnit(128, 128, (7, 1)))
    return ResidualBlock(896, [ConvUnit(896, 128), long], 256, 0.10)


def block_c(scale: float = 0.20, *, relu: bool = True) -> ResidualBlock:
    """Published as Block8."""
    long = nn.Sequential(ConvUnit(1792, 192), ConvUnit(192, 192, (1, 3)), ConvUnit(192, 192, (3, 1)))
    return ResidualBlock(1792, [ConvUnit(1792, 192), long], 384, scale, relu=relu)


class InceptionResnetV1(nn.Module):
    """A face's embedding; RGB in, brought from [0, 255] to about [-1, 1] by (x - 127.5) / 128.

    Example:
        >>> sum(p.numel() for p in InceptionResnetV1().parameters())
        23482624
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv2d_1a = ConvUnit(3, 32, 3, stride=2)
        self.conv2d_2a = ConvUnit(32, 32, 3, pad=False)
        self.conv2d_2b = ConvUnit(32, 64, 3)
        self.conv2d_3b = ConvUnit(64, 80)
        self.conv2d_4a = ConvUnit(80, 192, 3, pad=False)
        self.conv2d_4b = ConvUnit(192, 256, 3, stride=2)
        self.repeat_1 = nn.Sequential(*(block_a() for _ in range(5)))
        self.mixed_6a = Reduction(
            [
                ConvUnit(256, 384, 3, stride=2),
                nn.Sequential(ConvUnit(256, 192), ConvUnit(192, 192, 3), ConvUnit(192, 256, 3, stride=2)),
            ]
        )
        self.repeat_2 = nn.Sequential(*(block_b() for _ in range(10)))
        self.mixed_7a = Reduction(
            [
                nn.Sequential(ConvUnit(896, 256), ConvUnit(256, 384, 3, stride=2)),
                nn.Sequential(ConvUnit(896, 256), ConvUnit(256, 256, 3, stride=2)),
                nn.Sequential(ConvUnit(896, 256), ConvUnit(256, 256, 3), ConvUnit(256, 256, 3, stride=2)),
            ]
        )
        self.repeat_3 = nn.Sequential(*(block_c() for _ in range(5)))
        self.block8 = block_c(1.0, relu=False)
        self.last_linear = nn.Linear(1792, EMBEDDING_DIM, bias=False)
        self.last_bn = nn.BatchNorm1d(EMBEDDING_DIM, eps=1e-3)

    def forward(self, faces: Float[Tensor, "face 3 row column"]) -> Float[Tensor, "face 512"]:
        """Return embeddings of length 1."""
        x = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(faces)))
        x = self.conv2d_4b(self.conv2d_4a(self.conv2d_3b(F.max_pool2d(x, 3, 2))))
        x = self.mixed_6a(self.repeat_1(x))
        x = self.mixed_7a(self.repeat_2(x))
        x = self.block8(self.repeat_3(x)).mean(dim=(2, 3))
        return F.normalize(self.last_bn(self.last_linear(x)), dim=1)
