"""What was measured, as one table."""

import dataclasses
import statistics
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line:
    """One figure. `value` is what is judged: a ratio, or a count. Without a goal it is told for information."""

    name: str
    ours: str
    reference: str = ""
    value: float
    spread: str = ""
    goal: float | None = None
    shame: float | None = None
    at_least: bool = True  # a ratio wants to be high, a count low

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        if self._reaches(self.goal):
            return "reached"
        return "missed" if self.shame is None or self._reaches(self.shame) else "SHAME"

    def _reaches(self, mark: float) -> bool:
        return self.value >= mark if self.at_least else self.value <= mark

    def as_json(self) -> dict[str, object]:
        return {**dataclasses.asdict(self), "verdict": self.verdict}


def ratio(
    name: str, *, ours: Sequence[float], reference: Sequence[float], unit: str = "/s",
    goal: float | None = None, shame: float | None = None,
) -> Line:  # fmt: skip
    """Return the line of two rates that were measured in the same rounds."""
    ratios = [mine / theirs for mine, theirs in zip(ours, reference, strict=True)]
    return Line(
        name=name,
        ours=f"{statistics.median(ours):,.0f}{unit}",
        reference=f"{statistics.median(reference):,.0f}{unit}",
        value=round(statistics.median(ratios), 2),
        spread=f"{min(ratios):.2f}–{max(ratios):.2f}",
        goal=goal,
        shame=shame,
    )


def count(name: str, *, value: float, at_most: float, shame: float | None = None, detail: str = "") -> Line:
    return Line(name=name, ours=detail or f"{value:g}", value=value, goal=at_most, shame=shame, at_least=False)


def table(lines: Sequence[Line]) -> str:
    rows = [("", "ours", "reference", "ratio/count", "rounds", "goal", "verdict")]
    for line in lines:
        goal = "" if line.goal is None else f"{'≥' if line.at_least else '≤'} {line.goal:g}"
        rows.append((line.name, line.ours, line.reference, f"{line.value:g}", line.spread, goal, line.verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
