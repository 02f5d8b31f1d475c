"""The command: how long `msadg --help` takes against an empty Python process, the floor."""

import statistics
import subprocess
import sys
import time


def seconds_of(command: list[str], repeats: int = 7) -> float:
    """Median wall time of a command."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    floor = seconds_of([sys.executable, "-c", "pass"])
    print("Command")
    for verb in ([], ["train"], ["benchmark"]):
        taken = seconds_of([sys.executable, "-m", "msadg", *verb, "--help"])
        name = " ".join(["msadg", *verb, "--help"])
        print(f"  {name:<24} {taken:.2f} s (bound: 0.50), {taken / floor:.1f} x an empty Python process")


if __name__ == "__main__":
    main()
