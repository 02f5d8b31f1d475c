"""The three small networks of MTCNN, with the parameter names of the weights that are published for PyTorch.

Reference: Zhang, Zhang, Li, Qiao. "Joint Face Detection and Alignment using Multitask Cascaded Convolutional
Networks", IEEE Signal Processing Letters 23(10), 2016, doi:10.1109/LSP.2016.2603342, Fig. 2.
Departures from the paper: the published weights have other numbers of channels (10, 28 and 32 in the first layers), and
their dense layers read width before height. Layers of 10 and 28 channels are filled up to 16 and 32 with channels
that are always 0: processors work on channels by sixteens, and no output changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from msadg.errors import FeatureError

CELL = 12
"""Side of the square that one output of the P-Net looks at, in pixels."""
STRIDE = 2
"""Pixels from one such square to the next."""
R_SIDE, O_SIDE = 24, 48
"""Sides of the squares that the R-Net and the O-Net are shown, in pixels."""

Net = TypeVar("Net", bound=nn.Module)


class PNet(nn.Module):
    """Proposals: for every 12 x 12 square of a picture, is it a face, and how is its box to be moved?"""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 16, 3), nn.PReLU(16)
        self.conv2, self.prelu2 = nn.Conv2d(16, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(
        self, pictures: Float[Tensor, "picture 3 height width"]
    ) -> tuple[Float[Tensor, "picture row column"], Float[Tensor, "picture row column 32"]]:
        """Return each square's log-odds of being a face, and what ``shifts`` reads there."""
        x = max_pool(self.prelu1(self.conv1(pictures)), 2)
        x = self.prelu3(self.conv3(self.prelu2(self.conv2(x)))).permute(0, 2, 3, 1)
        # The softmax of two numbers is a function of their difference, which one product gives.
        other, face = self.conv4_1.weight.flatten(1)
        return x @ (face - other) + (self.conv4_1.bias[1] - self.conv4_1.bias[0]), x  # type: ignore[index]

    def shifts(self, features: Float[Tensor, "square 32"]) -> Float[Tensor, "square 4"]:
        """Return how the boxes of some squares are to be moved, in sides of the square."""
        return F.linear(features, self.conv4_2.weight.flatten(1), self.conv4_2.bias)


class RNet(nn.Module):
    """Refinement: is a 24 x 24 square a face, and how is its box to be moved?"""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.conv2, self.prelu2 = nn.Conv2d(32, 48, 3), nn.PReLU(48)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(
        self, squares: Float[Tensor, "square 3 24 24"]
    ) -> tuple[Float[Tensor, " square"], Float[Tensor, "square 4"]]:
        """Return each square's probability of being a face, and its box's shifts in sides of the square."""
        x = max_pool(self.prelu1(self.conv1(squares)), 3)
        x = max_pool(self.prelu2(self.conv2(x)), 3)
        x = self.prelu3(self.conv3(x))
        x = self.prelu4(self.dense4(columns_first(x)))
        return self.dense5_1(x).softmax(1)[:, 1], self.dense5_2(x)


class ONet(nn.Module):
    """Output: is a 48 x 48 square a face, how is its box to be moved, and where are eyes, nose and mouth?"""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2, self.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)

    def forward(
        self, squares: Float[Tensor, "square 3 48 48"]
    ) -> tuple[Float[Tensor, " square"], Float[Tensor, "square 4"], Float[Tensor, "square 5 2"]]:
        """Return each square's probability of being a face, its box's shifts, and the x, y of five landmarks.

        Shifts are in sides of the square; so are landmarks, from its upper left corner.
        """
        x = max_pool(self.prelu1(self.conv1(squares)), 3)
        x = max_pool(self.prelu2(self.conv2(x)), 3)
        x = max_pool(self.prelu3(self.conv3(x)), 2)
        x = self.prelu4(self.conv4(x))
        x = self.prelu5(self.dense5(columns_first(x)))
        landmarks = self.dense6_3(x).view(-1, 2, 5).transpose(1, 2)  # Five x, then five y.
        return self.dense6_1(x).softmax(1)[:, 1], self.dense6_2(x), landmarks


def max_pool(
    x: Float[Tensor, "picture channel height width"], window: int
) -> Float[Tensor, "picture channel row column"]:
    """Return the maxima over windows two apart; a window that hangs over the edge counts what is inside.

    The same numbers as ``max_pool2d(x, window, 2, ceil_mode=True)``, several times faster on channels-last tensors.
    """
    return _pool_axis(_pool_axis(x, 2, window), 3, window)


def _pool_axis(x: Tensor, axis: int, window: int) -> Tensor:
    num_windows = -((window - x.shape[axis]) // 2) + 1
    every_other = [(slice(None),) * axis + (slice(first, first + 2 * num_windows, 2),) for first in range(window)]
    result = x[every_other[0]].clone()
    for part in every_other[1:]:
        inside = result.narrow(axis, 0, x[part].shape[axis])
        torch.maximum(inside, x[part], out=inside)
    return result


def columns_first(x: Float[Tensor, "square channel height width"]) -> Float[Tensor, "square feature"]:
    """Flatten in the order of the published dense layers: width, height, channel."""
    return x.permute(0, 3, 2, 1).flatten(1)


def normalised(pixels: UInt8[Tensor, "picture height width 3"]) -> Float[Tensor, "picture 3 height width"]:
    """What the networks were trained on: (x - 127.5) / 128, channels last in memory."""
    return pixels.permute(0, 3, 1, 2).float().sub_(127.5).mul_(1 / 128)


def with_weights(net: Net, weights: Mapping[str, Tensor], where: str) -> Net:
    """Give a network its published weights, filled up with zeros to its own widths; it learns no more.

    Args:
        net: a PNet, an RNet or an ONet.
        weights: by parameter name.
        where: what to call them in an error.

    Raises:
        FeatureError: they are not those of this network.
    """
    own = net.state_dict()
    if set(own) != set(weights):
        odd = ", ".join(sorted(set(own) ^ set(weights)))
        raise FeatureError(f"{where} does not hold the weights of a {type(net).__name__}; they differ in {odd}")
    for name, parameter in own.items():
        given = weights[name]
        if given.dim() != parameter.dim() or any(g > p for g, p in zip(given.shape, parameter.shape, strict=True)):
            raise FeatureError(
                f"{where}: {name} is {tuple(given.shape)}; expected at most {tuple(parameter.shape)} "
                f"for a {type(net).__name__}"
            )
        parameter.zero_()[tuple(slice(0, size) for size in given.shape)] = given
    return net.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
