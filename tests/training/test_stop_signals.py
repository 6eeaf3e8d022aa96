"""A clean stop where signals come to every process of a job: Slurm's, systemd's, a terminal's, torchrun's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from training_runs import checkpoint_of

from kinegraph.training.stop_signals import StopSignals

SAMPLES = Path(__file__).parents[1] / "samples"
RUN = """
    import os, sys
    sys.path.insert(0, {samples!r})
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    from clip_samples import make_clip_splits
    from training_runs import recognition_recipe
    from kinegraph.cli import main
    from kinegraph.training.recognition_task import RecognitionTask
    from kinegraph.training import run
    step = RecognitionTask.training_step
    def told(self, batch, batch_idx):
        step(self, batch, batch_idx)
        Path({out!r} + f".ready{{os.environ.get('RANK', 0)}}").touch()
    RecognitionTask.training_step = told
    long = {{"steps": 10**6, "validate_every": 10**6, "checkpoint_every": 10**6, "workers": 2, "devices": {devices}}}
    recipe = recognition_recipe(Path({out!r}), schedule={{"name": "constant"}}, trainer=long)
    try:
        result = run.train(recipe, quiet=True, splits=make_clip_splits())
    except KeyboardInterrupt as error:
        print("at once", error)
    else:
        print(result.status)
"""


def started(out: Path, *, processes: int = 1) -> subprocess.Popen[str]:
    """A job of its own process group that reads ahead with two workers, after its first step."""
    script = out.with_suffix(".py")
    script.write_text(textwrap.dedent(RUN).format(samples=str(SAMPLES), out=str(out), devices=processes))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    job = subprocess.Popen(
        [sys.executable, *(launcher if processes > 1 else []), str(script)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not all(Path(f"{out}.ready{rank}").exists() for rank in range(processes)):
        if job.poll() is not None or time.monotonic() > deadline:
            os.killpg(job.pid, signal.SIGKILL)
            pytest.fail(f"no step was made: {job.communicate()}")
        time.sleep(0.02)
    return job


def ended(job: subprocess.Popen[str]) -> str:
    try:
        said, complaint = job.communicate(timeout=60)
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
    assert "Error" not in complaint.replace("SignalException", ""), complaint
    return said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_to_the_whole_job_stops_it_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    """Workers that read ahead died of it, which ended the run as a failed one without a last checkpoint."""
    job = started(tmp_path / "run")
    os.killpg(job.pid, number)
    assert ended(job) == "interrupted\n"
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    assert written["status"] == "interrupted"
    assert checkpoint_of(tmp_path / "run")["global_step"] == written["step"] > 0


def test_a_worker_that_hangs_is_ended_by_the_run(tmp_path: Path) -> None:
    """It heeds no SIGTERM but its parent's, which comes when the data loader has waited for it in vain."""
    code = """
        import os, signal, sys, time
        from kinegraph.training.stop_signals import leave_stopping_to_the_run, stops_held_back
        with stops_held_back():
            child = os.fork()
            if not child:
                leave_stopping_to_the_run(0)
                time.sleep(60)
        time.sleep(0.5)
        def alive():
            time.sleep(0.5)
            return os.waitpid(child, os.WNOHANG)[0] == 0
        other = os.fork()
        if not other:
            os.kill(child, signal.SIGTERM)
            os._exit(0)
        os.waitpid(other, 0)
        print(alive())
        os.kill(child, signal.SIGTERM)
        print(alive())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["True", "False"], done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_torchrun_passes_a_signal_on_and_that_is_the_same_one(number: signal.Signals, tmp_path: Path) -> None:
    """Every process gets it twice; the second time it was a wish to stop at once, without a last checkpoint."""
    job = started(tmp_path / "run", processes=2)
    os.killpg(job.pid, number)
    ended(job)
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    assert written["status"] == "interrupted"
    assert checkpoint_of(tmp_path / "run")["global_step"] == written["step"] > 0


def test_a_second_signal_under_torchrun_stops_at_once_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    clock = iter([100.0, 101.0, 103.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with StopSignals() as stop:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
