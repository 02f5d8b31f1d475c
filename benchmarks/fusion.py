"""Invariant fusion against loops over clips: the same losses, the same weights, the same batches; and what L_sv costs.

``looped_terms`` is the reference: each loss as its formula reads, clip by clip and pair by pair. It is checked to give
the same values; then both train, taking turns. Two readings of a loop: of the losses only, or of everything, each
clip encoded by itself and without padding.
"""

import time
from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from msadg.batches.sampling import length_grouped_batches
from msadg.methods.build import MethodSpec, build_method
from msadg.methods.invariant_fusion import InvariantFusion
from msadg.methods.method import Method
from msadg.nn.adversary import reverse_gradient
from msadg.nn.variation import VariationKind, sequential_variation
from msadg.types import Batch, Prediction, Steps

DIMS = {"text": 384, "audio": 32, "video": 32}
STEPS = {"text": 26, "audio": 24, "video": 16}
BATCH_SIZE = 64


def random_batch(seed: int, batch_size: int = BATCH_SIZE) -> Batch:
    """The middle one of the batches that training makes of many clips; a modality's length varies by a tenth."""
    chance = np.random.default_rng(seed)
    durations = chance.gamma(4, 0.25, 32 * batch_size)
    grouped = length_grouped_batches((STEPS["text"] * durations).astype(np.int64), batch_size, seed)
    durations = durations[sorted(grouped, key=lambda clips: durations[clips].sum())[len(grouped) // 2]]
    steps = {}
    for modality, dim in DIMS.items():
        exact = STEPS[modality] * durations * chance.uniform(0.9, 1.1, batch_size)
        lengths = np.maximum(2, exact).astype(int)
        valid = torch.arange(int(lengths.max()))[None] < torch.from_numpy(lengths)[:, None]
        values = torch.from_numpy(chance.standard_normal((*valid.shape, dim)).astype(np.float32))
        steps[modality] = Steps(values * valid[..., None], valid)
    return Batch(
        clip_ids=tuple(f"noise/train/{n}" for n in range(batch_size)),
        steps=steps,
        sentiment=torch.from_numpy(chance.integers(0, 3, batch_size)),
        polarity=torch.zeros(batch_size),
        domain=torch.zeros(batch_size, dtype=torch.int64),
    )


def clip_of(batch: Batch, clip: int) -> Batch:
    """One clip by itself, without padding."""
    steps = {}
    for modality, padded in batch.steps.items():
        length = int(padded.valid[clip].sum())
        steps[modality] = Steps(padded.values[clip : clip + 1, :length], padded.valid[clip : clip + 1, :length])
    return Batch(
        clip_ids=batch.clip_ids[clip : clip + 1],
        steps=steps,
        sentiment=batch.sentiment[clip : clip + 1],
        polarity=batch.polarity[clip : clip + 1],
        domain=batch.domain[clip : clip + 1],
    )


def looped_terms(
    method: InvariantFusion, clips: list[Mapping[str, Tensor]], logits: list[Tensor], batch: Batch
) -> dict:
    """Every loss clip by clip.

    Args:
        method: whose weights are used.
        clips: of each clip its sequences: ``encoded_<modality>`` and ``sequence_<modality>``, valid steps only.
        logits: of each clip.
        batch: the truth.
    """
    dim, terms = method.config.dim, {}
    terms["task"] = _mean([F.cross_entropy(x, y) for x, y in zip(logits, batch.sentiment, strict=True)])
    shared = {m: [c[f"sequence_{m}"].mean(dim=0)[dim:] for c in clips] for m in method.modalities}
    private = {m: [c[f"sequence_{m}"].mean(dim=0)[:dim] for c in clips] for m in method.modalities}
    pairs = combinations(method.modalities, 2)
    terms["consistency"] = _mean([looped_discrepancy(shared[a], shared[b]) for a, b in pairs])
    hidden, shown = [], []
    for label, modality in enumerate(method.modalities):
        hidden += [looped_margin_loss(method, reverse_gradient(code), label) for code in shared[modality]]
        shown += [looped_margin_loss(method, code, label) for code in private[modality]]
    terms["adversary"] = method.config.adversary_weight * (_mean(hidden) + _mean(shown))
    errors = []
    for modality, reconstruct in method.reconstructions.items():
        for clip in clips:
            z = clip[f"sequence_{modality}"]
            errors.append(F.mse_loss(reconstruct(z[:, :dim] + z[:, dim:]), clip[f"encoded_{modality}"].detach()))
    terms["reconstruction"] = _mean(errors)
    for modality in method.regularised:
        changes = [(c[f"sequence_{modality}"][1:] - c[f"sequence_{modality}"][:-1]).abs().mean() for c in clips]
        terms[f"variation_{modality}"] = _mean(changes)
    return terms


def looped_discrepancy(first: list[Tensor], second: list[Tensor], order: int = 5) -> Tensor:
    """CMD of two samples, moment by moment."""
    means = [sum(sample) / len(sample) for sample in (first, second)]
    distance = torch.linalg.vector_norm(means[0] - means[1])
    for k in range(2, order + 1):
        moments = [
            sum((code - mean) ** k for code in sample) / len(sample)
            for sample, mean in zip((first, second), means, strict=True)
        ]
        distance = distance + torch.linalg.vector_norm(moments[0] - moments[1])
    return distance


def looped_margin_loss(method: InvariantFusion, code: Tensor, label: int) -> Tensor:
    """What the discriminator says of one code."""
    softmax = method.discriminator.classifier
    hidden = method.discriminator.hidden(code)
    cosines = torch.stack([F.cosine_similarity(hidden, row, dim=0) for row in softmax.weight])
    margin = torch.zeros_like(cosines)
    margin[label] = softmax.margin
    return F.cross_entropy(softmax.scale * (cosines - margin), torch.tensor(label))


def _mean(values: list[Tensor]) -> Tensor:
    return sum(values) / len(values)


def vectorised(method: Method, batch: Batch) -> dict[str, Tensor]:
    return method.loss(method(batch), batch)


def losses_looped(method: InvariantFusion, batch: Batch) -> dict[str, Tensor]:
    """One padded forward pass, then every loss by loops."""
    prediction: Prediction = method(batch)
    names = [f"{kind}_{m}" for m in method.modalities for kind in ("encoded", "sequence")]
    clips = []
    for clip in range(len(batch)):
        valid = {name: prediction.auxiliary[f"sequence_valid_{name.split('_')[1]}"][clip] for name in names}
        clips.append({name: prediction.auxiliary[name][clip][valid[name]] for name in names})
    return looped_terms(method, clips, list(prediction.logits), batch)


def everything_looped(method: InvariantFusion, batch: Batch) -> dict[str, Tensor]:
    """Each clip encoded and fused by itself, then every loss by loops."""
    predictions = [method(clip_of(batch, clip)) for clip in range(len(batch))]
    clips = [{name: value[0] for name, value in p.auxiliary.items()} for p in predictions]
    return looped_terms(method, clips, [p.logits[0] for p in predictions], batch)


def step_milliseconds(steps: Mapping[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Least processor time of each step; they take turns, so that a noisy neighbour disturbs all alike."""
    shortest = dict.fromkeys(steps, float("inf"))
    for _ in range(repeats):
        for name, step in steps.items():
            started = time.process_time()
            step()
            shortest[name] = min(shortest[name], 1e3 * (time.process_time() - started))
    return shortest


def training_step(method: Method, batch: Batch, terms: Callable[[Method, Batch], dict[str, Tensor]]) -> Callable:
    """A function that takes one step."""
    optimizer = torch.optim.AdamW(method.train().parameters(), 1e-4, fused=True)

    def step() -> None:
        total = torch.stack(list(terms(method, batch).values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        method.after_step()

    return step


def largest_gap(method: InvariantFusion, batch: Batch) -> float:
    """How far the three are apart at most, in any term or gradient, relative to its size (if above 1)."""
    method.eval()
    found = []
    for terms_of in (vectorised, losses_looped, everything_looped):
        method.zero_grad()
        terms = terms_of(method, batch)
        torch.stack(list(terms.values())).sum().backward()
        values = {name: term.detach() for name, term in terms.items()}
        found.append(values | {name: p.grad.clone() for name, p in method.named_parameters() if p.grad is not None})
    first, *others = found
    assert all(other.keys() == first.keys() for other in others)
    return max(
        float((other[name] - value).abs().max() / value.abs().max().clamp_min(1))
        for other in others
        for name, value in first.items()
    )


def compare_with_loops(repeats: int) -> None:
    batch = random_batch(0)
    spec = MethodSpec(name="invariant_fusion")
    method = build_method(spec, DIMS, 0)
    assert isinstance(method, InvariantFusion)
    gap = largest_gap(method, batch)
    print(f"  values and gradients of the loops: at most {gap:.1e} apart (bound: 1e-5)")
    kinds = {"vectorised": vectorised, "losses looped": losses_looped, "everything looped": everything_looped}
    steps = {name: training_step(build_method(spec, DIMS, 0), batch, kind) for name, kind in kinds.items()}
    times = step_milliseconds(steps, repeats)
    for name, value in times.items():
        print(f"  step of {name:<18} {value:7.1f} ms, {value / times['vectorised']:5.2f} x vectorised (bound: 2)")


def variation_alone(method: Method, batch: Batch, kind: VariationKind) -> Callable[[], None]:
    """A function that takes L_sv of audio and video, forward and backward: what the term adds to a step, and no more.

    The difference of two steps is a few hundredths of either, and neighbours on the machine disturb it by as much.
    """
    found = method.eval()(batch).auxiliary
    sequences = {m: found[f"sequence_{m}"].detach().requires_grad_() for m in ("audio", "video")}

    def step() -> None:
        for modality, sequence in sequences.items():
            sequential_variation(sequence, found[f"sequence_valid_{modality}"], kind).backward()

    return step


def cost_of_variation(repeats: int) -> None:
    batch = random_batch(1)
    kinds: tuple[VariationKind, ...] = ("tv_l1", "tv_l2", "jsd")
    specs = {"erm": MethodSpec(name="erm")} | {
        f"erm+sv, {kind}": MethodSpec(name="erm", variation={"kind": kind}) for kind in kinds
    }
    steps = {name: training_step(build_method(spec, DIMS, 0), batch, vectorised) for name, spec in specs.items()}
    times = step_milliseconds(steps, repeats)
    for name, value in times.items():
        print(f"  step of {name:<18} {value:7.2f} ms, {100 * (value / times['erm'] - 1):+.1f} % (bound: 3)")
    erm = build_method(specs["erm"], DIMS, 0)
    alone = step_milliseconds({kind: variation_alone(erm, batch, kind) for kind in kinds}, 5 * repeats)
    for name, value in alone.items():
        print(
            f"  {name:<5} alone, both ways     {value:7.2f} ms, {100 * value / times['erm']:.1f} % of a step (bound: 3)"
        )


def main(repeats: int = 40) -> None:
    print(f"Invariant fusion (batch {BATCH_SIZE}, width 128, text + audio + video, one thread)")
    torch.set_num_threads(1)
    compare_with_loops(max(3, repeats // 5))
    cost_of_variation(repeats)


if __name__ == "__main__":
    main()
