"""House rules that a machine can check. Each failing message says why."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent
ROOMS = ("config", "payments", "checkout", "partner_orders", "english_app", "tests", "bench")
SOURCES = sorted(
    path
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
    if "migrations" not in path.parts and path.stat().st_size
)
OURS = [path for path in SOURCES if path.relative_to(ROOT).parts[0] not in {"tests", "bench"}]
WRITERS = [path for path in OURS if path.name in {"operations.py", "settlement.py", "sweep.py"}]


def name(path):
    return str(path.relative_to(ROOT))


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_module_function_and_class_budgets_hold(path):
    text = path.read_text()
    tree = ast.parse(text)

    assert text.count("\n") <= 400, "a module over 400 lines holds more than one noun: split it"
    for function in functions(tree):
        length = (function.end_lineno or function.lineno) - function.lineno
        assert length <= 70, f"{function.name} is {length} lines: name its steps"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and "tests" not in path.parts:
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
            assert len(methods) <= 15, f"{node.name} has {len(methods)} methods: it is more than one thing"


@pytest.mark.parametrize("path", OURS, ids=name)
def test_no_float_touches_money(path):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            sides = ast.dump(node.left) + ast.dump(node.right)
            assert "_fen" not in sides, f"line {node.lineno}: fen are divided by // or divmod, never by /"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            pytest.fail(f"line {node.lineno}: float() has no place here; use int, Decimal or a timedelta")


@pytest.mark.parametrize("path", WRITERS, ids=name)
def test_existing_rows_are_saved_field_by_field(path):
    """A bare save() of a row that exists writes back every stale field with it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "save":
            keywords = {keyword.arg for keyword in node.keywords}
            assert keywords & {"update_fields", "force_insert"}, f"line {node.lineno}: name the fields that are saved"


@pytest.mark.parametrize("path", OURS, ids=name)
def test_tasks_are_woken_through_one_door(path):
    text = path.read_text()
    assert not re.search(r"\.(delay|apply_async)\(", text), "wake tasks by payments.transactions.wake, after commit"
    assert "@receiver" not in text, "no signals: call it by name"


def test_there_is_no_utils_module():
    assert not [name(path) for path in SOURCES if path.stem in {"utils", "helpers", "misc", "common"}]


def test_nothing_of_the_workplace_is_named():
    named = [
        name(path)
        for pattern in ("*.py", "*.md", "*.toml", "*.html", "*.sh", "*.yaml", "Makefile")
        for path in ROOT.rglob(pattern)
        if not {".venv", "var", ".git"} & set(path.relative_to(ROOT).parts)
        and path != pathlib.Path(__file__)
        and re.search(r"(?<![\w.])/(work|farm)/", path.read_text())
    ]
    assert named == []
