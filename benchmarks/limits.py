"""What limits training on a processor: a step against the matrix products in it, which is the least it could take.

A step of the tables' frozen rows (width 64, batch 32, one thread) is timed bare, then profiled for its products alone.
What lies above them is element-wise kernels and the way from one operation to the next: what training several seeds
together could share, and a wider model or a larger batch would hide.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.training import DIMS, clips_in, step_seconds
from msadg.batches.clips import ClipSet
from msadg.batches.sampling import length_grouped_batches
from msadg.methods.build import MethodSpec, build_method
from msadg.methods.method import Method

BATCH, STEPS = 32, 24
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")


def specs(modalities: tuple[str, ...]) -> Iterator[tuple[str, MethodSpec]]:
    order = ">".join(modalities)
    yield "erm", MethodSpec(name="erm", settings={"dim": 64})
    yield "s2lif", MethodSpec(name="s2lif", settings={"dim": 64, "order": order})
    if len(modalities) > 1:
        yield "almt", MethodSpec(name="almt")
        yield "mult", MethodSpec(name="mult")


def products_of_a_step(method: Method, clips: ClipSet) -> tuple[float, float]:
    """Milliseconds of a step in matrix products, and how many operations it has in all."""
    optimizer = torch.optim.AdamW(method.train().parameters(), 1e-3, fused=True)
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for indices in length_grouped_batches(clips.lengths, BATCH, seed=0)[:STEPS]:
            batch = clips.batch(indices)
            loss = torch.stack(list(method.loss(method(batch), batch).values())).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            method.after_step()
    operations = [event for event in profiled.key_averages() if event.key.startswith("aten::")]
    products = sum(event.self_cpu_time_total for event in operations if event.key in PRODUCTS)
    return products / STEPS / 1e3, sum(event.count for event in operations) / STEPS


def main() -> None:
    torch.set_num_threads(1)
    print(f"What limits a training step (batch {BATCH}, one thread)")
    with tempfile.TemporaryDirectory() as folder:
        for modalities in (("text",), ("text", "video")):
            clips = clips_in(Path(folder) / "+".join(modalities), modalities, 1024)
            dims = {modality: DIMS[modality] for modality in modalities}
            for name, spec in specs(modalities):
                bare = 1e3 * step_seconds({name: build_method(spec, dims, 0)}, clips, BATCH, STEPS)[name]
                floor, operations = products_of_a_step(build_method(spec, dims, 0), clips)
                print(
                    f"  {name:<6} on {' + '.join(modalities):<13} {bare / floor:5.1f} x its matrix products (floor); "
                    f"{bare:.1f} ms, {operations:,.0f} operations"
                )


if __name__ == "__main__":
    main()
