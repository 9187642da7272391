"""What `benchmarks.engine` measured on a GPU beside what is asked of an H100: the rows for docs/engine.md.

    python -m benchmarks.gpu_goals gpu-results/engine.json

Ends with 1 where a goal is missed.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Goal:
    """One figure that is asked of an H100, on both strands.

    Attributes:
        what: in words.
        least: what is asked; None where there is a most.
        most: what is allowed; None where there is a least.
    """

    what: str
    least: float | None = None
    most: float | None = None

    def is_met(self, value: float) -> bool:
        """Whether a figure is as good as is asked, or better; one that is not a number is not."""
        if self.least is not None:
            return value >= self.least
        assert self.most is not None
        return value <= self.most


GOALS = {
    "shared": Goal("SNVs of a shared window a second", least=170),
    "mixed": Goal("the same with 1 indel to 15 SNVs", least=130),
    "centred": Goal("centred SNVs a second", least=20),
    "error": Goal("worst error of SAD by `fast`", most=1e-3),
    "share": Goal("share of the measured rate of products, shared window", least=0.4),
}


def figures(measured: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The figures of a result of `benchmarks.engine` that there are goals for."""
    cases = measured["cases"]
    yield "shared", 1 / cases["e"]["seconds_per_variant"]
    if "h" in cases:
        yield "mixed", 1 / cases["h"]["seconds_per_variant"]
    yield "centred", 1 / cases["d"]["seconds_per_variant"]
    yield "error", measured["sad_error_fast_worst"]
    yield "share", measured["share_of_matmul_rate"]


def rows(measured: dict[str, Any]) -> list[str]:
    """The table, ready to be pasted."""
    machine, versions = measured["machine"], measured["versions"]
    lines = [
        f"{machine['device']}, torch {versions['torch']}, {measured['date'][:10]}, {measured['strands']}"
        f" strand(s), {measured['arithmetic']}",
        "",
        "| what | seconds per variant | variants a second | error of SAD |",
        "|---|---:|---:|---:|",
    ]
    for case in measured["cases"].values():
        seconds, error = case["seconds_per_variant"], case["sad_error"]
        said = "" if error is None else f"{error:.1e}"
        lines.append(f"| {case['what']} | {seconds:.4f} | {1 / seconds:.1f} | {said} |")
    lines += ["", "| goal on an H100, both strands | asked | found | met |", "|---|---:|---:|---|"]
    for name, value in figures(measured):
        goal = GOALS[name]
        asked = f"at least {goal.least:g}" if goal.least is not None else f"at most {goal.most:g}"
        lines.append(
            f"| {goal.what} | {asked} | {value:.3g} | {'yes' if goal.is_met(value) else 'no'} |"
        )
    return lines


def main() -> None:
    """Print the table; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description="what a GPU came to, and what was asked of it")
    parser.add_argument("measured", type=Path, help="what benchmarks.engine --json wrote")
    measured = json.loads(parser.parse_args().measured.read_text(encoding="utf-8"))
    print("\n".join(rows(measured)))
    sys.exit(not all(GOALS[name].is_met(value) for name, value in figures(measured)))


if __name__ == "__main__":
    main()
