"""Fine-tuning: a step of ERM with its text encoder (MiniLM) trained whole, or its upper half, in float32 or bfloat16.

The reference is all layers in float32; the floor is ERM on states that were stored, no encoder being there.
"""

import statistics
import time

import torch

from msadg.extraction.pretrained import load_encoder
from msadg.methods.build import MethodSpec, build_method
from msadg.methods.method import Method
from msadg.protocols.training import TrainingConfig, make_optimizer
from msadg.types import Batch, Steps

CLIPS, TOKENS, WIDTH = 32, 16, 384
WAYS = {
    "all layers, float32": {},
    "all layers, bfloat16": {"bfloat16": True},
    "upper half, float32": {"frozen_layers": 3},
    "upper half, bfloat16": {"frozen_layers": 3, "bfloat16": True},
    "frozen, stored states": None,
}


def batch_of(*, tokens: bool) -> Batch:
    """Random clips of one length."""
    shape = (CLIPS, TOKENS, 1) if tokens else (CLIPS, TOKENS, WIDTH)
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(1000, 20_000, shape, generator=generator) if tokens else torch.randn(shape)
    steps = {"text": Steps(values, torch.ones(CLIPS, TOKENS, dtype=torch.bool))}
    nothing = torch.zeros(CLIPS)
    return Batch(tuple(map(str, range(CLIPS))), steps, torch.arange(CLIPS) % 3, nothing, nothing.long())


def step(method: Method, batch: Batch, optimizer: torch.optim.Optimizer) -> float:
    """Seconds of a training step."""
    started = time.perf_counter()
    loss = torch.stack(list(method.loss(method(batch), batch).values())).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return time.perf_counter() - started


def main() -> None:
    print(f"Fine-tuning (MiniLM, {CLIPS} clips of {TOKENS} tokens, one thread; the ways take turns)")
    torch.set_num_threads(1)
    made = {}
    for name, finetune in WAYS.items():
        spec = MethodSpec(name="erm", settings={"dim": 64}, finetune=finetune)
        encoder = None if finetune is None else load_encoder("minilm")
        method = build_method(spec, {"text": WIDTH}, 0, encoder).train()
        moving = [(n, p) for n, p in method.named_parameters() if p.requires_grad]
        optimizer = make_optimizer(moving, method.learning_rate_ratios(), TrainingConfig())
        made[name] = method, batch_of(tokens=finetune is not None), optimizer
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(12):
        for name, parts in made.items():
            taken[name].append(step(*parts))
    seconds = {name: statistics.median(times[2:]) for name, times in taken.items()}
    reference, floor = seconds["all layers, float32"], seconds["frozen, stored states"]
    for name, value in seconds.items():
        print(
            f"  {name:<24} {reference / value:5.1f} x as fast as the reference, {value / floor:5.1f} x the floor's time"
        )


if __name__ == "__main__":
    main()
