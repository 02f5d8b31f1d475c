"""One side of the comparison of MulT, in a process of its own: it takes a training step whenever it is told to.

``python -m benchmarks.mult_side SIDE FOLDER`` writes one line of JSON when it is ready, then one for each line that it
reads, and one with its peak memory at the end of its input. MMSA's side runs in MMSA's environment, where there is no
msadg: this module imports either only where it is needed.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

BATCH_SIZE = 16
LENGTHS = {"text": 50, "audio": 375, "video": 500}
DIMS = {"text": 768, "audio": 5, "video": 20}
DIM, HEADS, LAYERS = 30, 5, 5
THREADS = 2
DROPOUT = {"attn_dropout": 0.1, "relu_dropout": 0.1, "embed_dropout": 0.25, "res_dropout": 0.1, "text_dropout": 0.25}
DROPOUT |= {"attn_dropout_a": 0.0, "attn_dropout_v": 0.0, "output_dropout": 0.0}
"""The authors' defaults, by MMSA's names."""

Step = Callable[[], Tensor]


def features() -> tuple[list[Tensor], Tensor]:
    """Text, audio and video of clips that are all full, and their classes."""
    generator = torch.Generator().manual_seed(0)
    values = [torch.randn(BATCH_SIZE, LENGTHS[m], DIMS[m], generator=generator) for m in LENGTHS]
    return values, torch.randint(0, 3, (BATCH_SIZE,), generator=generator)


def mmsa_side(folder: Path) -> tuple[nn.Module, Step, dict]:
    """MMSA's model; it leaves its weights, and what it says of the batch, in the folder."""
    from MMSA.models.singleTask import MULT

    kernels = {f"conv1d_kernel_size_{letter}": 1 for letter in "lav"}
    sizes = {"dst_feature_dim_nheads": (DIM, HEADS), "feature_dims": tuple(DIMS.values()), "nlevels": LAYERS}
    other = {"use_bert": False, "attn_mask": True, "num_classes": 3, "train_mode": "classification"}
    model = MULT(SimpleNamespace(**kernels, **sizes, **other, **DROPOUT))
    values, classes = features()
    with torch.no_grad():
        said = model.eval()(*values)["M"]
    weights = {f"weight:{name}": value.numpy() for name, value in model.state_dict().items()}
    np.savez(folder / "published.npz", said=said.numpy(), **weights)
    return model, lambda: F.cross_entropy(model(*values)["M"], classes), {}


def msadg_side(folder: Path, *, plain: bool = False) -> tuple[nn.Module, Step, dict]:
    """Our model, from MMSA's weights where there are any; ``plain`` attends and drops as torch's manuals show it."""
    from msadg.methods.mult import MulT, MulTConfig
    from msadg.nn import crossmodal

    batch, found = _batch(), {}
    if plain:
        crossmodal.prefix_attention = _plain_attention
        crossmodal.dropped = lambda values, rate, training: F.dropout(values, rate, training)
        crossmodal.relu_dropped = lambda values, rate, training: F.dropout(F.relu(values), rate, training)
    if (folder / "published.npz").exists():
        saved = np.load(folder / "published.npz")
        weights = {n.removeprefix("weight:"): torch.from_numpy(saved[n]) for n in saved.files if n != "said"}
        with torch.no_grad():
            said = MulT.from_published(weights, heads=HEADS).eval()(batch).logits
        found["largest_gap"] = float(np.abs(said.numpy() - saved["said"]).max())
        method = MulT.from_published(weights, heads=HEADS, published=False)
    else:
        method = MulT(MulTConfig(dim=DIM, heads=HEADS, layers=LAYERS), DIMS)
    return method, lambda: method.loss(method(batch), batch)["task"], found


def s2lif_side(_: Path) -> tuple[nn.Module, Step, dict]:
    from msadg.methods.build import MethodSpec, build_method

    batch = _batch()
    method = build_method(MethodSpec(name="s2lif", settings={"order": "text>audio>video"}), DIMS, 0)
    return method, lambda: torch.stack(list(method.loss(method(batch), batch).values())).sum(), {}


def _batch():
    from msadg.types import Batch, Steps

    values, classes = features()
    steps = {m: Steps(v, torch.ones(v.shape[:2], dtype=torch.bool)) for m, v in zip(LENGTHS, values, strict=True)}
    names = tuple(f"noise/train/{n}" for n in range(BATCH_SIZE))
    return Batch(names, steps, classes, classes - 1.0, torch.zeros_like(classes))


def _plain_attention(query: Tensor, key: Tensor, value: Tensor, limit: Tensor, dropout: float = 0.0) -> Tensor:
    scores = query @ key.transpose(2, 3) / query.shape[3] ** 0.5
    hidden = torch.arange(key.shape[2]) >= limit[:, None, :, None]
    return F.dropout(torch.softmax(scores.masked_fill(hidden, -torch.inf), dim=-1), dropout) @ value


def peak_mib() -> float:
    """Of this process; getrusage would start from that of the process that started it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


SIDES = {
    "mmsa": mmsa_side,
    "plain": lambda folder: msadg_side(folder, plain=True),
    "msadg": msadg_side,
    "s2lif": s2lif_side,
}


def main(side: str, folder: Path) -> None:
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    before = peak_mib()
    model, loss, found = SIDES[side](folder)
    optimizer = torch.optim.Adam(model.train().parameters(), 1e-3)
    print(json.dumps(found), flush=True)
    for _ in sys.stdin:
        wall, processor = time.perf_counter(), time.process_time()
        total = loss()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        taken = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
        print(json.dumps(taken), flush=True)
    print(json.dumps({"peak_mib": peak_mib() - before}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
