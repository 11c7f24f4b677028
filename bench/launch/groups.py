"""Which runs go together into one job, and what a job does."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from bench.config.collector import uncollected
from bench.config.errors import InputError, RunError
from bench.config.spec import RunSpec

with uncollected():  # this is the module that a launcher's process imports first
    import torch

    import squeezed
    from bench.launch.gpus import one_gpu
    from bench.records.failures import failed_before
    from bench.runs.work import Done, each_of, failed_last


def grouped(plan: Sequence[RunSpec], together: bool = True) -> list[list[RunSpec]]:
    """Runs on the same contexts of the same model, long contexts first: begun last, one would go on alone.

    Groups of one length are in the order of their first run. What failed before is at the end, of its group
    and of all.

    Args:
        together: False: every run is a group.
    """
    groups: dict[object, list[RunSpec]] = {}
    for place, spec in enumerate(failed_last(plan)):
        groups.setdefault((spec.model, spec.task) if together else place, []).append(spec)
    return sorted(
        groups.values(),
        key=lambda group: (failed_before(group[0].folder), -(group[0].task.length or 0)),
    )


def _decided(spec: RunSpec) -> RunSpec:
    """The run with the backend that its own machine has; whoever submitted it may have had another.

    Raises:
        InputError: the backend cannot run here.
    """
    try:
        name = squeezed.resolve_backend(spec.backend, torch.device(spec.model.device))
    except ValueError as error:
        raise InputError(str(error)) from error
    return dataclasses.replace(spec, backend=name)


@dataclass(frozen=True)
class GroupJob:
    """What a launcher runs in another process: the group with the number of Hydra's job.

    Attributes:
        groups: of the whole sweep. total: of its runs. here: the processes share one machine and its GPUs.
    """

    groups: tuple[tuple[RunSpec, ...], ...]
    total: int
    here: bool

    def __call__(self, settings: DictConfig) -> tuple[list[Done], str]:
        """What came of the group's runs, and why it had to end before the last one, or nothing."""
        from bench import tasks  # in a new process nothing is registered yet

        tasks.register()
        number = int(HydraConfig.get().job.num)
        group = self.groups[number]
        before = sum(map(len, self.groups[:number]))
        found: list[Done] = []
        with one_gpu(group, wanted=self.here) as specs:
            try:
                for done in each_of([_decided(spec) for spec in specs], before, self.total):
                    found.append(done)
            except (RunError, InputError) as error:
                return found, str(error)
        return found, ""
