"""``python -m bench.kernels``: the benchmark with Hydra's ``key=value`` settings, or plainly without it."""

import importlib.util
import os
import sys
from pathlib import Path

from bench.config.errors import fail
from bench.timing.kernels import run as plain
from bench.timing.kernels.settings import Settings

CONF = Path(__file__).resolve().parents[3] / "conf" / "kernels"


def main() -> int:
    """Runs the command line; returns the exit code."""
    if importlib.util.find_spec("hydra") is None:
        return plain.guarded(plain.parse(sys.argv[1:]))
    import hydra
    from hydra.core.config_store import ConfigStore
    from hydra.errors import HydraException
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise its errors instead of printing them
    ConfigStore.instance().store(name="kernels_schema", node=Settings)
    codes = []

    def job(config: DictConfig) -> None:
        codes.append(plain.guarded(OmegaConf.to_object(config)))  # type: ignore[arg-type]

    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(job)()
    except (HydraException, OmegaConfBaseException) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return fail(2, f"{lines[0]} (see python -m bench.kernels --help)")
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main())
