"""Look a pickle's instructions over before any of them is followed: what would crash or fill the reader is refused.

Only what the interpreter itself does not survive is looked for here: a memo index far beyond the file (the memo is an
array up to it), a size beyond the file's end, nesting without end, and tuples that are hashed (a dictionary's key, a
set's element), which the interpreter does by recursion and anew for every mention.
"""

from __future__ import annotations

import mmap
import pickletools
from pathlib import Path
from typing import Any, NamedTuple

MAX_DEPTH = 100
"""Published files nest about 6 deep: split, column, array, its state, its shape."""

PUT = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
GET = frozenset({"GET", "BINGET", "LONG_BINGET"})
TUPLE = frozenset({"EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "TUPLE"})
FILL = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"})
"""Instructions that change what lies lowest of their operands."""
HASHED_STEP = {"SETITEM": 2, "SETITEMS": 2, "DICT": 2, "ADDITEMS": 1, "FROZENSET": 1}
"""Of the operands of these, every how many-th is hashed, from the first on."""


class _Part(NamedTuple):
    """What is known of a value before it is built."""

    depth: int = 0
    is_tuple: bool = False


class _Effect(NamedTuple):
    """What an instruction takes from the stack and puts there."""

    num_taken: int
    """Without those above a mark."""
    takes_mark: bool
    num_put: int


def _effect(opcode: pickletools.OpcodeInfo) -> _Effect:
    taken = opcode.stack_before
    takes_mark = pickletools.markobject in taken
    num_taken = taken.index(pickletools.markobject) if takes_mark else len(taken)
    return _Effect(num_taken, takes_mark, len(opcode.stack_after))


EFFECTS = {opcode.name: _effect(opcode) for opcode in pickletools.opcodes}


def scan_pickle(path: Path) -> int:
    """Return the number of a pickle's instructions, none of which is followed.

    Raises:
        ValueError: truncated, no pickle, or made to crash or fill its reader.
        LookupError: it takes what it has not put.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _scan(content)


def _scan(content: mmap.mmap) -> int:
    stack: list[_Part] = []
    marks: list[int] = []
    memo: dict[int, _Part] = {}
    number = 0
    source: Any = content  # It has what genops calls of a file: read, readline, tell. A read ends where the file does.
    argument: Any
    for number, (opcode, argument, position) in enumerate(pickletools.genops(source), start=1):
        name = opcode.name
        if name in PUT:
            if not 0 <= int(argument) <= number:
                raise ValueError(f"byte {position}: memo index {argument}, after {number} instructions")
            memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in GET:
            stack.append(memo[int(argument)])
        elif name == "DUP":
            stack.append(stack[-1])
        elif name == "MARK":
            marks.append(len(stack))
        elif name == "POP":
            (marks if marks and marks[-1] == len(stack) else stack).pop()
        elif name == "FRAME":
            if int(argument) > len(content):
                raise ValueError(f"byte {position}: a frame of {argument} bytes, beyond the end of the file")
        else:
            _follow(name, stack, marks, position)
    return number


def _follow(name: str, stack: list[_Part], marks: list[int], position: int | None) -> None:
    effect = EFFECTS[name]
    top = marks.pop() if effect.takes_mark else len(stack)
    bottom = top - effect.num_taken
    if bottom < 0:
        raise ValueError(f"byte {position}: {name} takes more than was put")
    operands = stack[bottom:]
    del stack[bottom:]
    if not effect.num_put:
        return
    filled, parts = (operands[0].depth, operands[1:]) if name in FILL else (0, operands)
    if name in HASHED_STEP and any(part.is_tuple for part in parts[:: HASHED_STEP[name]]):
        raise ValueError(f"byte {position}: a tuple as a key or in a set")
    depth = max(filled, 1 + max(part.depth for part in parts)) if parts else filled
    if depth > MAX_DEPTH:
        raise ValueError(f"byte {position}: nested more than {MAX_DEPTH} deep")
    stack.extend([_Part(depth, name in TUPLE)] * effect.num_put)
