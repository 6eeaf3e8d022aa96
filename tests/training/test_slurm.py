"""srun's tasks, as far as its variables make them: one run of all of them, a run of each, and jobs that are stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from training_runs import checkpoint_of, log_of, recognition_recipe, run_lifting, run_recognition

from kinegraph.errors import ConfigError
from kinegraph.store.processes import processes
from kinegraph.training import launch
from kinegraph.training.launch import as_launched, cores, is_leader
from kinegraph.training.lifting_splits import LiftingSplits

SAMPLES = Path(__file__).parents[1] / "samples"
CODE = """
    import sys
    sys.path.insert(0, {samples!r})
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    from clip_samples import make_clip_splits
    from training_runs import recognition_recipe
    from kinegraph.training.run import train
    recipe = recognition_recipe(Path({out!r}), trainer={trainer!r}, **{changes!r})
    print(train(recipe, splits=make_clip_splits()).status)
"""

# Adam would make whole steps of rounding errors where a gradient is nearly 0.
LEVEL: dict[str, Any] = {
    "model": {"name": "stgcn", "width": 0.05, "dropout": 0.0},
    "optim": {"name": "sgd", "lr": 0.01},
    "schedule": {"name": "constant"},
}


def step_of(task: int, tasks: int) -> dict[str, str]:
    """What srun says to a task of `srun --nodes 1 --ntasks-per-node TASKS`."""
    names = {
        **{"JOB_ID": "1", "JOB_NAME": "train", "STEP_NUM_TASKS": tasks, "NTASKS": tasks, "NTASKS_PER_NODE": tasks},
        **{"PROCID": task, "LOCALID": task, "NODEID": 0, "NNODES": 1, "NODELIST": "localhost"},
    }
    return {f"SLURM_{name}": str(value) for name, value in names.items()}


def started(out: Path, variables: dict[str, str], trainer: dict[str, Any]) -> subprocess.Popen[str]:
    code = textwrap.dedent(CODE).format(samples=str(SAMPLES), out=str(out), trainer=trainer, changes=LEVEL)
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(jobs: list[subprocess.Popen[str]]) -> list[tuple[str, str]]:
    try:
        found = [job.communicate(timeout=500) for job in jobs]
    finally:
        for job in jobs:
            job.kill()
    assert [job.returncode for job in jobs] == [0] * len(jobs), found
    return found


def same_weights(folder: Path, step: int, atol: float = 1e-4) -> None:
    one, two = (checkpoint_of(folder / name) for name in ("one", "two"))
    assert one["global_step"] == two["global_step"] == step
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(two["state_dict"][name], value, atol=atol, rtol=1e-3)


@pytest.mark.slow
def test_tasks_that_train_together_train_as_one_process_does_and_tasks_alone_are_whole_runs(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    short = {"steps": 2, "validate_every": 1}
    both = {**short, "devices": 2}
    two = [started(tmp_path / "two", {**step_of(task, 2), **port}, both) for task in (0, 1)]
    # The third of four tasks, with curves: it took itself for a helper of the first, and wrote nothing.
    alone = started(tmp_path / "one", step_of(2, 4), {**short, "tensorboard": True})
    (_, said), _, (_, told) = ended([*two, alone])
    assert "srun" not in said
    assert "one of srun's 4 tasks, a run of its own" in told
    assert any(path.name.startswith("events") for path in (tmp_path / "one" / "tensorboard").iterdir())
    same_weights(tmp_path, 2)
    # What two have begun, one can end.
    for name in ("one", "two"):
        run_recognition(tmp_path / name, resume=True, trainer={**short, "steps": 4, "workers": 1}, **LEVEL)
    # By rounding, a ReLU near 0 falls to either side: 4e-4 of the 0.05 that the first layer moves in these steps.
    same_weights(tmp_path, 4, atol=1e-3)
    for a, b in zip(log_of(tmp_path / "one"), log_of(tmp_path / "two"), strict=True):
        assert float(a["val_loss"]) == pytest.approx(float(b["val_loss"]), rel=1e-3)


@pytest.fixture
def srun(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts what srun says into the environment."""

    def says(task: int, tasks: int, **other: str) -> None:
        for name, value in {**step_of(task, tasks), **other}.items():
            monkeypatch.setenv(name, value)

    monkeypatch.setattr(launch, "_together", False)
    return says


def test_the_recipe_says_whether_tasks_train_together(tmp_path: Path, srun: Callable[..., None]) -> None:
    srun(1, 2)
    alone, both = recognition_recipe(tmp_path), recognition_recipe(tmp_path, trainer={"devices": 2})
    for _ in range(2):  # one process may train several recipes
        assert as_launched(both) is both
        assert not is_leader()
        assert as_launched(alone) is alone
        assert is_leader()
    srun(0, 2)
    as_launched(both)
    assert is_leader()


def test_tasks_that_are_not_those_of_the_recipe_are_refused(
    tmp_path: Path, srun: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    srun(1, 4)
    found = "trainer.devices and nodes: found 2 and 1, but srun started 4 tasks, 4 on each of 1 machines; expected srun"
    with pytest.raises(ConfigError, match=found + " --nodes 1 --ntasks-per-node 2 for one run"):
        as_launched(recognition_recipe(tmp_path, trainer={"devices": 2}))
    srun(1, 4, SLURM_NNODES="2", SLURM_NTASKS_PER_NODE="2")
    as_launched(recognition_recipe(tmp_path, trainer={"devices": 2, "nodes": 2}))
    with pytest.raises(ConfigError, match="expected srun --nodes 1 --ntasks-per-node 4"):
        as_launched(recognition_recipe(tmp_path, trainer={"devices": 4}))
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE")  # srun -n 4, which leaves open who is where
    with pytest.raises(ConfigError, match="started 4 tasks; expected srun --nodes 2 --ntasks-per-node 2"):
        as_launched(recognition_recipe(tmp_path, trainer={"devices": 2, "nodes": 2}))


def test_a_batch_script_is_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`#SBATCH --ntasks-per-node 2` without srun: Lightning waited there for a process that nobody had started."""
    for name, value in step_of(0, 2).items():
        if name != "SLURM_STEP_NUM_TASKS":
            monkeypatch.setenv(name, value)
    recipe = as_launched(recognition_recipe(tmp_path, trainer={"devices": 2}))
    environment = launch.cluster(recipe.trainer)
    assert environment is not None
    assert not environment.creates_processes_externally


def test_cores_are_those_of_the_job(srun: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A job with 6 cores of a machine with 64 started 8 processes to read ahead on each GPU."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)), raising=False)
    assert processes(None) == 6
    assert [cores(number) for number in (1, 2, 4, 8)] == [6, 3, 1, 1]
    srun(1, 4)
    assert cores(4) == 1
    srun(1, 4, SLURM_CPUS_PER_TASK="6")  # bound to its own six
    assert cores(4) == 6
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    assert cores(4) == 6


def test_lightning_does_not_put_jobs_back_into_the_queue(tmp_path: Path, srun: Callable[..., None]) -> None:
    srun(0, 2)
    environment: Any = launch.cluster(as_launched(recognition_recipe(tmp_path, trainer={"devices": 2})).trainer)
    assert environment.creates_processes_externally
    assert not environment.auto_requeue


def test_lifting_goes_on_with_the_processes_it_was_begun_with(tmp_path: Path, splits: LiftingSplits) -> None:
    """Each normalises over its own poses there."""
    run_lifting(tmp_path / "run", splits, trainer={"steps": 5, "batch": 24})
    with pytest.raises(ConfigError, match=r"trainer.devices: .* was begun with 1, the recipe says 2; .* another --out"):
        run_lifting(tmp_path / "run", splits, resume=True, trainer={"steps": 5, "batch": 24, "devices": 2})
