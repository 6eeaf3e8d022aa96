"""Processes that were started together: by torchrun, by Slurm, or one by the other.

srun's tasks train together where the recipe says how many there are, and each for itself otherwise: a seed or a fold
for each task is as usual on clusters as one run of all of them.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import torch

from kinegraph.errors import ConfigError
from kinegraph.store.processes import processes as usable_cores
from kinegraph.training.recipe_parts import RunRecipe, TrainerRecipe

if TYPE_CHECKING:
    from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment

__all__ = ["as_launched", "check_devices", "cluster", "cores", "is_leader", "slurm_tasks"]

Recipe = TypeVar("Recipe", bound=RunRecipe)


# By the recipe that `as_launched` saw last:
_together = False  # whether srun's tasks train one network together
_alone = False  # whether this process trains by itself, whatever RANK or LOCAL_RANK is left over around it


def is_leader() -> bool:
    """Whether this process is the first of a data-parallel run, or the only one.

    Of srun's tasks each is, unless they train together (`as_launched`).
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:  # torchrun
        return int(os.environ.get("RANK") or 0) == 0
    if _alone:
        return True
    # Lightning's own launcher numbers the processes of a machine; Slurm all of them.
    places = ("LOCAL_RANK", "NODE_RANK", *(("SLURM_PROCID",) if _together else ()))
    return all(int(os.environ.get(name) or 0) == 0 for name in places)


def as_launched(recipe: Recipe) -> Recipe:
    """The recipe with as many devices and machines as torchrun has started processes on; itself without torchrun.

    A recipe of several processes is for all tasks of srun together; with one process, each task is a run of its own.

    Raises:
        ConfigError: another number of processes was started than the recipe names, or its batch cannot be shared.
    """
    global _together, _alone
    _together = _alone = False
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        _alone = recipe.trainer.processes == 1
        _together = recipe.trainer.processes > 1 and slurm_tasks() > 1
        if _together:
            _check_tasks(recipe.trainer)
        return recipe
    world, here = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if world % here:
        raise ConfigError(f"torchrun started {here} processes here and {world} in all; start as many on every machine")
    started = {"devices": here, "nodes": world // here}
    for name, count in started.items():
        given = getattr(recipe.trainer, name)
        if given not in (1, count):
            raise ConfigError(f"trainer.{name}: found {given}, but torchrun started {count}; leave it to torchrun")
    try:
        return replace(recipe, trainer=replace(recipe.trainer, devices=here, nodes=world // here))
    except ValueError as error:
        raise ConfigError(f"trainer.{error}") from error


def slurm_tasks() -> int:
    """How many processes srun has started together, this one among them; 1 elsewhere, in a batch script too."""
    # Of the step, which srun alone makes: SLURM_NTASKS is there in a batch script as well, where nobody else runs.
    return int(os.environ.get("SLURM_STEP_NUM_TASKS") or 1)


def _check_tasks(trainer: TrainerRecipe) -> None:
    """ConfigError where srun's tasks are not those of a run of so many processes."""
    tasks, here, nodes = (os.environ.get(f"SLURM_{name}") for name in ("STEP_NUM_TASKS", "NTASKS_PER_NODE", "NNODES"))
    found = (tasks, here, nodes or "1")
    if found == (str(trainer.processes), str(trainer.devices), str(trainer.nodes)):
        return
    each = "" if here is None else f", {here} on each of {nodes or 1} machines"
    raise ConfigError(
        f"trainer.devices and nodes: found {trainer.devices} and {trainer.nodes}, but srun started {tasks} tasks{each}"
        f"; expected srun --nodes {trainer.nodes} --ntasks-per-node {trainer.devices} for one run of all tasks, or "
        "--trainer.devices 1 --trainer.nodes 1 for a run of its own in each"
    )


def cluster(trainer: TrainerRecipe) -> ClusterEnvironment | None:
    """Who tells Lightning which process this one is: srun, or nobody but Lightning; None leaves it to torchrun.

    Slurm's jobs are not put into the queue anew: a run stops at its signal, and whoever wrote the job decides.
    """
    from lightning.fabric.plugins.environments.lightning import LightningEnvironment
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

    if "TORCHELASTIC_RUN_ID" in os.environ:
        return None
    if _together:
        return SLURMEnvironment(auto_requeue=False)
    if trainer.processes == 1:
        from lightning_utilities.core.rank_zero import rank_zero_only

        # Lightning takes a task's number for a rank, and curves of the others for superfluous
        vars(rank_zero_only)["rank"] = 0
    return LightningEnvironment()


def cores(processes: int) -> int:
    """CPU cores for each of so many processes of a run on this machine: those that the job may use, shared; at least 1.

    What Slurm gives to each task is the task's own.
    """
    usable = usable_cores(None)
    given = os.environ.get("SLURM_CPUS_PER_TASK")
    if slurm_tasks() > 1 and given:
        return min(usable, int(given))
    return max(1, usable // processes)


def check_devices(trainer: TrainerRecipe) -> None:
    """Refuse a run that this machine has no devices for.

    Raises:
        ConfigError: GPUs are asked for and there is none, or there are more processes than GPUs.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else int(torch.backends.mps.is_available())
    if trainer.accelerator == "gpu" and not gpus:
        raise ConfigError("trainer.accelerator: found gpu, but PyTorch finds none here; expected auto or cpu")
    if trainer.accelerator != "cpu" and 0 < gpus < trainer.devices:
        raise ConfigError(
            f"trainer.devices: found {trainer.devices}, but PyTorch finds {gpus} GPU{'s' if gpus > 1 else ''} here; "
            f"expected {gpus} or fewer, or trainer.accelerator cpu"
        )
