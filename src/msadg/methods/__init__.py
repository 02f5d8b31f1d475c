"""Methods: a paper each, a file each. ``METHODS`` is the one list that everything else is built from."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from msadg.errors import UnknownNameError

if TYPE_CHECKING:
    from msadg.methods.method import Method

METHODS = {
    "constant": "msadg.methods.constant:Constant",
    "linear": "msadg.methods.linear:Linear",
    "erm": "msadg.methods.erm:ERM",
    "coral": "msadg.methods.coral:CORAL",
    "groupdro": "msadg.methods.groupdro:GroupDRO",
    "vrex": "msadg.methods.vrex:VREx",
    "irm": "msadg.methods.irm:IRM",
    "ridg": "msadg.methods.ridg:RIDG",
    "mad": "msadg.methods.mad:MAD",
    "mllm": "msadg.methods.mllm:MLLM",
    "s2lif": "msadg.methods.s2lif:S2LIF",
    "s2lif_plus": "msadg.methods.s2lif_plus:S2LIFPlus",
    "invariant_fusion": "msadg.methods.invariant_fusion:InvariantFusion",
    "mult": "msadg.methods.mult:MulT",
    "almt": "msadg.methods.almt:ALMT",
}
"""Name -> where its class is; a string, so that listing the methods imports none of them."""


def load_method(name: str) -> type[Method]:
    """Return a method's class.

    Raises:
        UnknownNameError: no such method.
    """
    if name not in METHODS:
        raise UnknownNameError("method", name, METHODS)
    module, _, attribute = METHODS[name].partition(":")
    method: type[Method] = getattr(importlib.import_module(module), attribute)
    return method
