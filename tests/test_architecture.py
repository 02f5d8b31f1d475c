"""A room imports from itself and the rooms before it; only ``cli`` prints (docs/decisions/0001-rooms.md)."""

import ast
from pathlib import Path

import msadg

PACKAGE = Path(msadg.__file__).parent
ROOMS = [
    "types", "errors", "settings", "corpora", "extraction", "store", "batches", "nn", "methods", "metrics",
    "results", "protocols", "analysis", "report", "serving", "cli", "__init__", "__main__",
]  # fmt: skip


def imported_rooms(file: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("msadg."):
            rooms.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "msadg":
            rooms.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            rooms.update(a.name.split(".")[1] for a in node.names if a.name.startswith("msadg."))
    return rooms & set(ROOMS)


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def calls_of(file: Path, function: str) -> list[str]:
    """Every call of a function, as it is written."""
    calls = [ast.unparse(n) for n in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
    return [call for call in calls if call.startswith(f"{function}(")]


def test_every_file_is_in_a_known_room():
    assert {room_of(file) for file in PACKAGE.rglob("*.py")} <= set(ROOMS)


def test_a_room_imports_only_from_itself_and_the_rooms_before_it():
    for file in PACKAGE.rglob("*.py"):
        room = room_of(file)
        below = set(ROOMS[ROOMS.index(room) + 1 :])
        assert not imported_rooms(file) & below, f"{file} imports from a room below {room}"


def test_only_the_command_prints():
    for file in PACKAGE.rglob("*.py"):
        if room_of(file) == "cli":
            continue
        calls = [n for n in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
        printing = [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]
        assert not printing, f"{file}:{printing[0].lineno} prints"


def test_nothing_is_unpickled_outside_the_restricted_reader():
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if file != PACKAGE / "extraction" / "faces" / "weights.py":
            assert "torch.load(" not in text, f"{file} unpickles"
        for call in calls_of(file, "torch.load"):
            assert "weights_only=True" in call, f"{file} unpickles more than weights: {call}"
        assert "allow_pickle=True" not in text, f"{file} unpickles"
        if file.name != "restricted_pickle.py":
            assert "pickle." not in text.replace("restricted_pickle.", ""), f"{file} unpickles"
