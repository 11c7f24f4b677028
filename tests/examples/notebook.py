"""The notebook of an example, made from its script; ``python -m tests.examples.notebook`` writes it anew.

A line ``# %%`` begins a cell of code, ``# %% [markdown]`` one of text.
"""

import json
import re
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPT, NOTEBOOK = EXAMPLES / "ten_questions.py", EXAMPLES / "ten_questions.ipynb"
MARKER = re.compile(r"^# %%( \[markdown\])?\n", re.MULTILINE)


def notebook(script: str) -> dict[str, Any]:
    """The notebook, in format 4.5, with no output."""
    _, *parts = MARKER.split(script)
    cells = []
    for number, (text, body) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
        lines = body.strip("\n").split("\n")
        lines = [line.removeprefix("# ") for line in lines] if text else lines
        source = [f"{line}\n" for line in lines[:-1]] + lines[-1:]
        cell = {"id": f"cell-{number}", "metadata": {}, "source": source}
        code = {"cell_type": "code", "execution_count": None, "outputs": []}
        cells.append({**({"cell_type": "markdown"} if text else code), **cell})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def main() -> None:
    """Writes the notebook."""
    NOTEBOOK.write_text(json.dumps(notebook(SCRIPT.read_text()), indent=1) + "\n")


if __name__ == "__main__":
    main()
