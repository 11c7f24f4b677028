"""Most injuries, a few times in each test run; ``python -m tests.injuries`` does it at length."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.injuries import paid, runs
from tests.injuries.kinds import INJURIES
from tests.injuries.world import Outcome

# Those of sweeps are slow: tests/chaos does most of them once, in one sweep.
SAMPLED = {**paid.INJURIES, **runs.INJURIES}
PAGE = Path(__file__).resolve().parents[2] / "docs" / "trust.md"


@pytest.mark.slow
@pytest.mark.parametrize(("injure", "times"), SAMPLED.values(), ids=SAMPLED)
def test_nothing_is_lost_leaked_or_paid_twice(
    injure: Callable[[int, int, Path], Outcome], times: float, tmp_path: Path
) -> None:
    tries = round(2 * times)
    found = injure(tries, 1, tmp_path)
    assert found.tried == found.survived == tries
    assert (found.lost, found.leaked) == (0, 0)
    assert found.twice <= found.allowed


def test_the_page_has_a_row_for_every_injury_and_no_loss() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("| ")
    ]
    told = {name: list(map(int, numbers)) for name, *numbers in rows if name in INJURIES}
    assert set(told) == set(INJURIES)
    for tried, survived, lost, leaked, twice, most in told.values():
        assert tried == survived > 0
        assert lost == leaked == 0
        assert twice <= most
