"""The collected test vectors beside the project, where there are any; they are read in place, never copied."""

import json
import pathlib

import pytest

DIRECTORY = pathlib.Path(__file__).resolve().parents[3] / "shared" / "vectors"
SKIPPED = pytest.mark.skipif(not DIRECTORY.is_dir(), reason="no vectors beside the project (../shared/vectors)")


def cases(name):
    """id → case of one file; empty without the vectors."""
    file = DIRECTORY / name
    return {case["id"]: case for case in json.loads(file.read_text())["cases"]} if file.is_file() else {}


def parametrize(cases):
    """One test per case; one skipped test, with its reason, where there are none."""
    if not cases:
        return pytest.mark.parametrize("case", [pytest.param({}, marks=SKIPPED, id="no vectors")])
    return pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in cases.items()])
