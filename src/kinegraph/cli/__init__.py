"""The command line: one module per command, each imported only when it is needed.

A command module offers `HELP` (one line), `add_arguments(parser)` and `run(args) -> int`; heavy imports belong inside
`run`. It may set `EXAMPLES` (shown under its own help, as `help_page` reads it) and `EXTRA_ARGUMENTS = True` to
receive the arguments that the parser does not know as `args.unknown`, a list of strings.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TextIO, cast

from kinegraph.cli.endings import Ended, ends_tidily
from kinegraph.cli.help_page import HelpPage
from kinegraph.errors import KinegraphError, nearest
from kinegraph.fonts import MissingLettersWarning
from kinegraph.shipped import named

__all__ = ["COMMANDS", "main"]

COMMANDS = (
    "demo",
    "info",
    "convert",
    "lift",
    "forecast",
    "recognize",
    "train",
    "evaluate",
    "calibrate",
    "ensemble",
    "analyze",
    "data",
    "view",
    "export",
    "serve",
    "skeletons",
)

_DESCRIPTION = "Skeletal graph neural networks for human motion: lift to 3D, forecast, recognise."

_EPILOG = """\
examples:
  kinegraph demo --out demo                      # the whole road in minutes, on data it makes itself
  kinegraph info walk.bvh                        # what is in a motion file
  kinegraph lift keypoints/ --out walk.bvh       # a folder of OpenPose JSON to a BVH that plays
  kinegraph forecast walk.amc --seconds 1 --out next.bvh  # the walk goes on
  kinegraph view walk.bvh --out walk.html        # a player in one HTML page
  kinegraph serve                                # the viewer in the browser: drop a file
  kinegraph train lift_hcsf_synthetic_pixel      # a recipe shipped with the package, or a YAML file of yours
  kinegraph evaluate runs/x/best --protocol synthetic-lifting

'kinegraph COMMAND --help' explains a command. Errors are one line and exit status 2; --traceback shows the rest."""

_KERNELS = "256"
"""Compiled kernels that oneDNN keeps (its own default is 1024, up to 1 MB each). Clips of differing lengths and numbers
of people need a set of them for every shape; one training step of the largest network needs some 130."""


class _Parser(argparse.ArgumentParser):
    """argparse, with errors in the one-line form of every other error, and without empty arguments."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("formatter_class", HelpPage)
        super().__init__(*args, **options)
        # An empty path would be the current folder, an empty --json no file. Of whatever is text or a path.
        self.register("type", None, _given)
        self.register("type", Path, lambda text: Path(_given(text)))

    def add_subparsers(self, **options: Any) -> Any:
        commands = super().add_subparsers(**options)
        commands.type = str  # what belongs to a subcommand is its own parser's to judge
        return commands

    def error(self, message: str) -> NoReturn:
        raise _UsageError(f"{message} (see '{self.prog} --help')")


def _given(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("is empty; is a shell variable unset?")
    return text


class _UsageError(KinegraphError):
    """The command line itself is wrong."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 2 after an error, 130 after Ctrl-C, 143 after SIGTERM.

    Args:
        argv: the arguments after the program's name; those of the process by default.
    """
    _bound_memory()
    _make_streams_sure()
    arguments = list(sys.argv[1:] if argv is None else argv)
    show_traceback = "--traceback" in arguments
    arguments = [argument for argument in arguments if argument != "--traceback"]
    status = 0
    with contextlib.redirect_stdout(cast("TextIO", _Output(sys.stdout))), _notes_of_letters(), ends_tidily():
        try:
            status = _guarded(arguments, show_traceback)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader (head, less) has gone
            _drop(sys.stdout)
        except _OutputError as error:
            _drop(sys.stdout)
            status = status or _failed(str(error), show_traceback)
    return status


def _guarded(arguments: list[str], show_traceback: bool) -> int:
    """Run the command and say what goes wrong, unless that is the output itself."""
    if _is_being_started():
        return _failed(
            "called again by a process that a command started: Python runs your script anew in each of them; put the "
            "call of kinegraph.cli.main under `if __name__ == '__main__':`",
            show_traceback=False,
        )
    try:
        return _dispatch(arguments)
    except (BrokenPipeError, _OutputError):
        raise
    except SystemExit as stop:  # argparse after --help and --version
        return int(stop.code or 0)
    except KinegraphError as error:
        return _failed(_one_line(str(error)), show_traceback)
    except KeyboardInterrupt as error:
        if show_traceback:
            traceback.print_exc()
        _say(f"kinegraph: interrupted{f': {_one_line(str(error))}' if str(error) else ''}")
        return error.status if isinstance(error, Ended) else 130
    except MemoryError:
        return _failed("not enough memory for this input; try a smaller one, or a smaller batch", show_traceback)
    except Exception as error:
        found = _one_line(f"{type(error).__name__}: {error}")
        return _failed(
            f"{found} (this is a bug in kinegraph; run again with --traceback and report it)", show_traceback
        )


@contextlib.contextmanager
def _notes_of_letters() -> Iterator[None]:
    """Warnings of letters that pictures show as boxes, each once and in one line; others stay what they are."""
    said: set[str] = set()
    show = warnings.showwarning

    def as_note(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if not issubclass(category, MissingLettersWarning):
            show(message, category, *where, **more)
        elif str(message) not in said:
            said.add(str(message))
            _say(f"note: {message}")

    with warnings.catch_warnings():
        warnings.showwarning = as_note
        yield


def _is_being_started() -> bool:
    """Whether this is a process of multiprocessing that still imports the script it was started from.

    It would start processes of its own, which Python refuses with a RuntimeError, after doing half of the work twice.
    """
    loaded = sys.modules.get("multiprocessing.process")
    return loaded is not None and getattr(loaded.current_process(), "_inheriting", False)


class _OutputError(KinegraphError):
    """Standard output cannot be written."""


class _Output:
    """Standard output, whose errors are told from those of files."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        with self._errors():
            return self.stream.write(text)

    def flush(self) -> None:
        with self._errors():
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _OutputError(f"cannot write the output: {error.strerror or error}; send it elsewhere") from error


def _make_streams_sure() -> None:
    """Let whatever is printed be printed: names of any letters in any encoding, and to streams that are closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # the shell closed it (>&-)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  as long as the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _drop(stream: TextIO) -> None:
    """Let a stream go nowhere: Python would complain again when it flushes it at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _bound_memory() -> None:
    """Say, before torch is there, how many compiled kernels oneDNN keeps, unless the user has said so."""
    if "DNNL_PRIMITIVE_CACHE_CAPACITY" not in os.environ:  # its older name
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _KERNELS)


def _dispatch(arguments: list[str]) -> int:
    name = next((argument for argument in arguments if not argument.startswith("-")), None)
    if (arguments and arguments[0].startswith("-")) or name is None:
        parser = _main_parser()
        parser.parse_args(arguments)  # --help and --version end here
        parser.print_help()
        return 0
    if name not in COMMANDS:
        raise _UsageError(f"no command {name!r}{nearest(name, COMMANDS)} (the commands: {', '.join(COMMANDS)})")
    module = _command(name)
    parser = _Parser(
        prog=f"kinegraph {name}",
        description=(module.__doc__ or module.HELP).strip(),
        epilog=getattr(module, "EXAMPLES", None),
        allow_abbrev=False,  # a script must not break when a command gains an option
    )
    parser.add_argument("--traceback", action="store_true", help="show where an error came from")
    module.add_arguments(parser)
    if getattr(module, "EXTRA_ARGUMENTS", False):
        fields, others = _fields_of_recipes(arguments[1:])
        args, extra = parser.parse_known_args(others)
        args.unknown = extra + fields
    else:
        args = parser.parse_args(arguments[1:])
    return int(module.run(args))


def _fields_of_recipes(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Options with a dot in their name (`--trainer.steps 500`), each with its value, and all that is left.

    They may stand anywhere: argparse does not know them, and would take the value for a positional argument.
    """
    fields: list[str] = []
    others: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if not (argument.startswith("--") and "." in argument.partition("=")[0]):
            others.append(argument)
            continue
        fields.append(argument)
        if "=" not in argument and rest and not rest[0].startswith("--"):
            fields.append(rest.pop(0))
    return fields, others


def _main_parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {_command(name).HELP}" for name in COMMANDS]
    networks = f"networks {named()}; wherever a weights folder is taken, its name does as well"
    parser = _Parser(
        prog="kinegraph",
        usage="kinegraph COMMAND ...",
        description=_DESCRIPTION + "\n\ncommands:\n" + "\n".join(lines),
        epilog=f"{networks}\n\n{_EPILOG}",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and stop")
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from kinegraph import __version__

        print(f"kinegraph {__version__}")
        parser.exit()


def _command(name: str) -> ModuleType:
    return importlib.import_module(f"kinegraph.cli.{name}")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _failed(message: str, show_traceback: bool) -> int:
    if show_traceback:
        traceback.print_exc()
    _say(f"kinegraph: error: {message}")
    return 2


def _say(line: str) -> None:
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:  # gone as well; the exit status still tells
        _drop(sys.stderr)
