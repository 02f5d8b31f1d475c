"""Simulated domains that differ in one thing: how far the shortcut of their features has turned, from 0 to 1.

The class prior is equal in all five, so that a score that falls from one to the next falls for the shortcut alone; the
clips are others. How strong the shortcut is says ``msadg.extraction.simulated_truth.SHIFTED_STRENGTH``.
"""

from __future__ import annotations

from msadg.corpora.simulated import SimulatedA, SimulatedCorpus, simulated_card


class _Shifted(SimulatedCorpus):
    """Equal classes; see SimulatedCorpus."""

    class_prior = SimulatedA.class_prior


class SimulatedShift0(_Shifted):
    """Shift 0: the shortcut holds as in simulated-a and simulated-b; equal classes. See SimulatedCorpus."""

    name = "simulated-shift-0"
    card = simulated_card(
        "simulated domain whose shortcut has not turned", train=(214, 217, 169), dev=(53, 44, 53), test=(111, 101, 88)
    )


class SimulatedShift25(_Shifted):
    """Shift 0.25: the shortcut is half as strong as in simulated-a and simulated-b. See SimulatedCorpus."""

    name = "simulated-shift-25"
    card = simulated_card(
        "simulated domain whose shortcut is weak", train=(208, 197, 195), dev=(47, 50, 53), test=(106, 93, 101)
    )


class SimulatedShift50(_Shifted):
    """Shift 0.5: there is no shortcut, what would show it is noise. See SimulatedCorpus."""

    name = "simulated-shift-50"
    card = simulated_card(
        "simulated domain without a shortcut", train=(204, 196, 200), dev=(52, 45, 53), test=(102, 97, 101)
    )


class SimulatedShift75(_Shifted):
    """Shift 0.75: the shortcut is reversed, and half as strong as in simulated-a and -b. See SimulatedCorpus."""

    name = "simulated-shift-75"
    card = simulated_card(
        "simulated domain whose shortcut is reversed and weak",
        train=(194, 200, 206),
        dev=(43, 53, 54),
        test=(101, 96, 103),
    )


class SimulatedShift100(_Shifted):
    """Shift 1: the shortcut is as strong as in simulated-a and simulated-b, and reversed. See SimulatedCorpus."""

    name = "simulated-shift-100"
    card = simulated_card(
        "simulated domain whose shortcut is reversed", train=(201, 199, 200), dev=(53, 50, 47), test=(101, 98, 101)
    )


SHIFTED = (SimulatedShift0, SimulatedShift25, SimulatedShift50, SimulatedShift75, SimulatedShift100)
"""From no shift to the whole."""
