"""How ids are spelled in print: methods, domains, metrics, numbers."""

from __future__ import annotations

import math
import re

NAMES = {
    "constant": "Constant",
    "linear": "Linear",
    "erm": "ERM",
    "s2lif": "S2LIF",
    "s2lif_plus": "S2LIF+",
    "invariant_fusion": "Invariant fusion",
    "sati": "SATI",
    "mult": "MulT",
    "almt": "ALMT",
    "mad": "MAD",
    "ridg": "RIDG",
    "coral": "CORAL",
    "groupdro": "GroupDRO",
    "vrex": "V-REx",
    "irm": "IRM",
    "mllm": "MLLM",
    "mosi": "MOSI",
    "mosei": "MOSEI",
    "meld": "MELD",
    "ch-sims": "CH-SIMS",
    "ch-sims-v2": "CH-SIMS v2",
    "ur-funny": "UR-FUNNY",
    "f1_macro": "macro-F1",
    "f1_weighted": "weighted F1",
    "balanced_accuracy": "balanced accuracy",
    "ece": "calibration error (ECE)",
    "brier": "Brier score",
    "nll": "negative log-likelihood",
    "mae": "mean absolute error",
    "corr": "Pearson correlation",
    "acc2_has0": "Acc-2 (has0)",
    "acc2_non0": "Acc-2 (non0)",
    "acc5": "Acc-5",
    "acc7": "Acc-7",
    "f1_weighted_has0": "weighted F1 (has0)",
    "f1_weighted_non0": "weighted F1 (non0)",
    "mean_target": "mean target",
    "worst_target": "worst target",
}

MISSING = "\N{EN DASH}"


def printed(name: str) -> str:
    """The spelling of an id: the first word of a row is its method; an id that is not known stays as it is.

    Example:
        >>> printed("s2lif (V|T)"), printed("mosei"), printed("vignettes-films")
        ('S2LIF (V|T)', 'MOSEI', 'vignettes-films')
    """
    if name in NAMES:
        return NAMES[name]
    word = re.match(r"[a-z0-9_]+", name)
    return NAMES.get(word[0], word[0]) + name[word.end() :] if word else name


def number(value: float) -> str:
    """Three digits after the point and no leading zero, as the papers print; a dash for NaN.

    Example:
        >>> number(0.5124), number(-0.25), number(1.5), number(float("nan"))
        ('.512', '-.250', '1.500', '–')
    """
    if math.isnan(value):
        return MISSING
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def spread(mean: float, half: float) -> str:
    """Mean ± half the interval; the mean alone where one value has no interval.

    Example:
        >>> spread(0.5124, 0.0101), spread(0.5, float("nan"))
        ('.512 ± .010', '.500')
    """
    return number(mean) if math.isnan(half) else f"{number(mean)} ± {number(half)}"


def bracketed(ours: str, published: float) -> str:
    """A score with a paper's own behind it; the paper's alone where there is none of ours.

    Example:
        >>> bracketed(".512 ± .010", 0.644), bracketed("", 0.644)
        ('.512 ± .010 [.644]', '[.644]')
    """
    return f"{ours} [{number(published)}]".strip()
