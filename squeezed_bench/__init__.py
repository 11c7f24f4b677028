"""The suite's door where it is installed: ``import squeezed_bench`` makes its packages importable.

In the repository ``bench``, ``rows`` and the others are folders at the top. Names as common as those stay out
of site-packages: a wheel holds them in one folder, ``squeezed_bench/suite``. It is put on the path of the
process that asks for it, and of those that it starts. ``squeezed`` and ``squeezed_kernels`` need no door.
"""

import os
import sys
from pathlib import Path

PACKAGES = ("bench", "conf", "longbench", "prefixqa", "probes", "rows", "ruler", "texts")
INSTALLED = Path(__file__).resolve().parent / "suite"
HOME = INSTALLED if INSTALLED.is_dir() else INSTALLED.parents[1]  # the latter: of the repository


def find(home: Path) -> None:
    """Makes the packages importable, here and in processes begun from here (those of launchers are).

    Args:
        home: the folder that holds them. It comes first: they cannot work with others of their names.

    Raises:
        ImportError: another package of such a name is loaded already.
    """
    for name in PACKAGES:
        loaded = getattr(sys.modules.get(name), "__spec__", None)
        if loaded is not None and loaded.origin not in (None, str(home / name / "__init__.py")):
            raise ImportError(
                f"{name} is loaded already, from {loaded.origin}; the suite has a package of that name: "
                "import squeezed_bench first, or in a process of its own"
            )
    place = str(home)
    sys.path[:] = [place, *(each for each in sys.path if each != place)]
    inherited = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    if place not in inherited:
        os.environ["PYTHONPATH"] = os.pathsep.join([place, *inherited])


find(HOME)
