"""Our sign against published examples of the convention: one family of them is ours, the others are not."""

import json
from pathlib import Path

import pytest

from payments.clients.signing import canonical, matches

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "md5_sign_variants.json"
pytestmark = pytest.mark.skipif(not VECTORS.exists(), reason="the shared vectors are not beside this clone")

CASES = json.loads(VECTORS.read_text())["cases"] if VECTORS.exists() else []
OURS = [case for case in CASES if case["id"].startswith(("A-", "B-"))]  # `&key=`, sorted, empty dropped; any case
OTHERS = [case for case in CASES if case not in OURS and case["expected_sign"]]


def params_of(case):
    """The parameters of a case; where it has none, those that stand in its digest input."""
    if "params" in case:
        return case["params"]
    text = case["digest_input"].removesuffix(case["key"]).removesuffix("&key=")
    return dict(pair.split("=", 1) for pair in text.split("&"))


@pytest.mark.parametrize("case", OURS, ids=lambda case: case["id"])
def test_our_recipe_gives_the_published_digest(case):
    params = params_of(case)

    assert canonical(params=params, secret=case["key"]) == case["digest_input"]
    assert matches(given=case["expected_sign"], params=params, secret=case["key"], sign_type="MD5")


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: case["id"])
def test_another_recipes_digest_is_refused(case):
    assert not matches(given=case["expected_sign"], params=params_of(case), secret=case["key"], sign_type="MD5")


def test_there_are_cases_of_both_kinds():
    assert len(OURS) == 4
    assert len(OTHERS) == 4
