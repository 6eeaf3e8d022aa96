"""The command line as a whole: help, one-line errors, exit statuses."""

from __future__ import annotations

import argparse
import importlib
import os
import pickle
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from kinegraph import __version__, cli
from kinegraph.errors import KinegraphError
from kinegraph.fonts import warn_of_boxes


def kinegraph(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "kinegraph", *arguments], capture_output=True, text=True)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A command whose `run` a test sets."""
    module = ModuleType("kinegraph.cli.demo")
    module.HELP = "a test"  # type: ignore[attr-defined]

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--number", type=int)

    module.add_arguments = add_arguments  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kinegraph.cli.demo", module)
    return module


def raises(error: BaseException) -> object:
    def run(args: argparse.Namespace) -> int:
        raise error

    return run


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_whole(name: str) -> None:
    module = importlib.import_module(f"kinegraph.cli.{name}")
    assert 5 < len(module.HELP) < 100
    assert "\n" not in module.HELP
    assert callable(module.add_arguments)
    assert callable(module.run)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: kinegraph {name}")
    assert "--traceback" in text


def test_help_names_every_command_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in cli.COMMANDS:
        assert f"\n  {name} " in text
    assert "examples:" in text
    assert cli.main([]) == 0
    assert capsys.readouterr().out == text


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from kinegraph.cli import main; main(['--help']); "
        "print('heavy:', [m for m in ('torch', 'scipy', 'matplotlib', 'lightning') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "heavy: []" in done.stdout


def test_version() -> None:
    done = kinegraph("--version")
    assert (done.returncode, done.stdout) == (0, f"kinegraph {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "no command 'trian'; did you mean 'train'?"),
        (["--nothing"], "unrecognized arguments: --nothing"),
        (["demo", "--numbr", "3"], "unrecognized arguments: --numbr 3 (see 'kinegraph demo --help')"),
        (["demo", "--number", "x"], "argument --number: invalid int value: 'x'"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(
    arguments: list[str], message: str, command: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("kinegraph: error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (KinegraphError("a.bvh: line 3:\nno joints"), 2, "kinegraph: error: a.bvh: line 3: no joints\n"),
        (KeyboardInterrupt(), 130, "kinegraph: interrupted\n"),
        (KeyboardInterrupt("step 3; --resume"), 130, "kinegraph: interrupted: step 3; --resume\n"),
        (BrokenPipeError(), 0, ""),
        (
            MemoryError(),
            2,
            "kinegraph: error: not enough memory for this input; try a smaller one, or a smaller batch\n",
        ),
        (
            ZeroDivisionError("by 0"),
            2,
            "kinegraph: error: ZeroDivisionError: by 0 (this is a bug in kinegraph; run again with --traceback and "
            "report it)\n",
        ),
    ],
)
def test_errors_are_one_line(
    error: BaseException, status: int, line: str, command: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    command.run = raises(error)  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.dup2", lambda *_: None)  # what a broken pipe does to stdout is not for this process
        assert cli.main(["demo"]) == status
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("error", [KinegraphError("wrong"), ValueError("bug"), KeyboardInterrupt()])
@pytest.mark.parametrize("arguments", [["demo", "--traceback"], ["--traceback", "demo"]])
def test_traceback_shows_where(
    error: BaseException, arguments: list[str], command: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    command.run = raises(error)  # type: ignore[attr-defined]
    cli.main(arguments)
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.splitlines()[-1].startswith("kinegraph: ")


def test_arguments_reach_the_command(command: ModuleType) -> None:
    seen: list[int] = []

    def run(args: argparse.Namespace) -> int:
        seen.append(args.number)
        return 7

    command.run = run  # type: ignore[attr-defined]
    assert cli.main(["demo", "--number", "5"]) == 7
    assert seen == [5]


def test_a_reader_that_leaves_is_no_error() -> None:
    code = (
        "import sys, types\n"
        "m = types.ModuleType('kinegraph.cli.demo'); m.HELP = 'x'; m.add_arguments = lambda p: None\n"
        "def run(args):\n"
        "    for i in range(10**6): print(i)\n"
        "    return 0\n"
        "m.run = run; sys.modules['kinegraph.cli.demo'] = m\n"
        "from kinegraph.cli import main; sys.exit(main(['demo']))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0


@pytest.mark.parametrize(
    ("line", "argument"),
    [
        ("info _", "file"),
        ("lift _ --out x.npz", "IN"),
        ("lift x.npz --out _", "--out"),
        ("lift x.npz --out y.npz --extrinsics _", "--extrinsics"),
        ("view x.npz _", "IN"),
        ("recognize --model _ x.npz", "--model"),
        ("calibrate x --data _", "--data"),
        ("evaluate x --protocol cmu-8 --json _", "--json"),
        ("data prepare folder --source _ --out x", "--source"),
        ("analyze steadiness lift --recordings x.npz _", "--recordings"),
        ("analyze stability x --data y --json _", "--json"),
        ("evaluate x --protocol cmu-8 --confusion _", "--confusion"),
    ],
)
def test_an_empty_argument_is_not_the_current_folder(
    line: str, argument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main([word.replace("_", "") for word in line.split()]) == 2
    said = f"kinegraph: error: argument {argument}: is empty; is a shell variable unset? (see "
    assert capsys.readouterr().err.startswith(said)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["skeletons"], ["--help"]])
def test_output_that_cannot_be_written_is_no_bug(arguments: list[str], unbuffered: str) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "kinegraph", *arguments]
        environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
        deaf = subprocess.run(command, stdout=full, stderr=full, env=environment)
    assert done.stderr == "kinegraph: error: cannot write the output: No space left on device; send it elsewhere\n"
    assert (done.returncode, deaf.returncode) == (2, 2)


def test_a_closed_stream_is_no_bug() -> None:
    command = f'"{sys.executable}" -m kinegraph'
    for line, status, said in (
        ("skeletons >&-", 0, ""),
        ("info nowhere.bvh >&-", 2, "nowhere.bvh: no such file"),
        ("info nowhere.bvh 2>&-", 2, ""),
    ):
        done = subprocess.run(f"{command} {line}", shell=True, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        assert said in done.stderr
        assert "bug" not in done.stderr
        assert not done.stdout  # not the error that stderr does not take, either


def test_names_of_any_letters_are_printed_in_any_encoding(tmp_path: Path) -> None:
    name = "tänzer_歩.json"
    (tmp_path / name).write_text('{"people": [{"pose_keypoints_2d": [' + "9, 9, 1, " * 24 + "9, 9, 1]}]}")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "kinegraph", "info", name]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.stdout.startswith("t\\xe4nzer_\\u6b69.json\n"), done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("number", "status", "line"),
    [
        (signal.SIGINT, 130, "kinegraph: interrupted\n"),
        (signal.SIGTERM, 143, "kinegraph: interrupted: ended by SIGTERM\n"),
        (signal.SIGHUP, 129, "kinegraph: interrupted: ended by SIGHUP\n"),
    ],
)
def test_who_is_ended_leaves_nothing_half_written(
    number: signal.Signals, status: int, line: str, tmp_path: Path
) -> None:
    code = (
        "import sys, types, time\n"
        "from kinegraph.atomic import atomic_path\n"
        "m = types.ModuleType('kinegraph.cli.demo'); m.HELP = 'x'; m.add_arguments = lambda p: None\n"
        "def run(args):\n"
        "    with atomic_path('whole.txt') as part:\n"
        "        part.write_text('half'); print('ready', flush=True); time.sleep(60)\n"
        "m.run = run; sys.modules['kinegraph.cli.demo'] = m\n"
        "from kinegraph.cli import main; sys.exit(main(['demo']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # the tests themselves may run under nohup
    )
    assert process.stdout is not None
    process.stdout.readline()
    assert len(list(tmp_path.iterdir())) == 1
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (status, line)
    assert not list(tmp_path.iterdir())


def test_signals_are_left_to_who_has_taken_them_and_given_back(command: ModuleType) -> None:
    """A hang-up is ignored under nohup, and a program that calls this one has its own way to end."""
    seen = []
    command.run = lambda args: seen.append([signal.getsignal(n) for n in numbers]) or 0  # type: ignore[attr-defined]
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(n, h) for n, h in zip(numbers, (signal.SIG_DFL, signal.SIG_IGN), strict=True)]
    try:
        assert cli.main(["demo"]) == 0
        assert [signal.getsignal(n) for n in numbers] == [signal.SIG_DFL, signal.SIG_IGN]
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    ((term, hang_up),) = seen
    assert callable(term)
    assert hang_up is signal.SIG_IGN


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256"}),
        ({"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "7"}, {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "7"}),
        ({"DNNL_PRIMITIVE_CACHE_CAPACITY": "7"}, {"DNNL_PRIMITIVE_CACHE_CAPACITY": "7"}),
    ],
)
def test_kernels_are_bounded_before_torch_is_there(given: dict[str, str], found: dict[str, str]) -> None:
    code = (
        "import os, sys, types; from kinegraph import cli; module = types.ModuleType('kinegraph.cli.demo');"
        "module.HELP = 'a test'; module.add_arguments = lambda parser: None;"
        "module.run = lambda args: print('torch' in sys.modules, "
        "{k: v for k, v in os.environ.items() if 'CACHE_CAPACITY' in k});"
        "sys.modules['kinegraph.cli.demo'] = module; cli.main(['demo'])"
    )
    plain = {key: value for key, value in os.environ.items() if "CACHE_CAPACITY" not in key}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**plain, **given})
    assert done.stdout.strip() == f"False {found}"


@pytest.mark.parametrize("fields", [["--trainer.steps", "5"], ["--trainer.steps=5"], ["--model.gates", "[1, 2]"]])
@pytest.mark.parametrize("where", [0, 2, 4])
def test_fields_of_a_recipe_may_stand_anywhere(
    fields: list[str], where: int, command: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[list[str], int, list[str]]] = []

    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("recipes", nargs="+")
        parser.add_argument("--number", type=int)

    def run(args: argparse.Namespace) -> int:
        seen.append((args.recipes, args.number, args.unknown))
        return 0

    monkeypatch.setattr(command, "EXTRA_ARGUMENTS", True, raising=False)
    monkeypatch.setattr(command, "add_arguments", add)
    monkeypatch.setattr(command, "run", run, raising=False)
    plain = ["--number", "3", "one", "two"]
    assert cli.main(["demo", *plain[:where], *fields, *plain[where:]]) == 0
    assert seen == [(["one", "two"], 3, fields)]


def test_a_field_without_a_value_takes_no_other_option_for_it(command: ModuleType) -> None:
    fields, others = cli._fields_of_recipes(["--trainer.steps", "--number", "3", "--out", "runs/a.b", "clip.bvh"])
    assert fields == ["--trainer.steps"]
    assert others == ["--number", "3", "--out", "runs/a.b", "clip.bvh"]


def test_a_script_without_a_main_guard_is_told_what_to_do(tmp_path: Path) -> None:
    """Python runs it again in every process that `data prepare` starts."""
    pytest.importorskip("pyarrow")
    items = [
        {"frame_dir": f"{n}", "label": n % 2, "total_frames": 4, "keypoint": np.ones((1, 4, 25, 3), np.float32)}
        for n in range(40)  # enough for two shards
    ]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"split": {}, "annotations": items}))
    words = ["data", "prepare", "pyskl", "--source", "a.pkl", "--out", "o", "--workers", "2", "--quiet"]
    (tmp_path / "s.py").write_text(f"from kinegraph.cli import main\nprint('status', main({words}))\n")
    done = subprocess.run([sys.executable, "s.py"], cwd=tmp_path, capture_output=True, text=True)
    assert "status 0" in done.stdout
    assert "bug" not in done.stderr
    lines = done.stderr.splitlines()
    assert lines
    assert all("put the call of kinegraph.cli.main under `if __name__ == '__main__':`" in line for line in lines)


def test_letters_that_no_font_has_are_one_note(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    def run(args: argparse.Namespace) -> int:
        warn_of_boxes("跑步")
        warn_of_boxes("跑步")
        warnings.warn("of others", stacklevel=1)
        return 0

    command.run = run  # type: ignore[attr-defined]
    with pytest.warns(UserWarning, match="of others"):
        assert cli.main(["demo"]) == 0
    assert [line for line in capsys.readouterr().err.splitlines() if "font" in line] == [
        "note: no font here has 步跑: drawn as boxes; install one that has, such as Noto Sans (for Chinese, Japanese "
        "and Korean Noto Sans CJK)"
    ]
