"""What a reference study shows, whatever it is made of."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Made:
    """A study's content.

    Attributes:
        whole: for machines. narrow: for people, at most six columns. figure: None without one.
        facts: what the records say of where they come from, by name.
    """

    whole: pd.DataFrame
    narrow: pd.DataFrame
    figure: Figure | None
    facts: dict[str, str]


def several(values: Any) -> str:
    return ", ".join(sorted({str(value) for value in values}))
