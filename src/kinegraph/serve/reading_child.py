"""The process that reads uploads: ``python -m kinegraph.serve.reading_child`` under limits of memory and time.

A request is a line of JSON at the standard input, the answer a line at the standard output (:mod:`.reading` is the
other end). A sequence travels as an npz beside the upload. No torch is imported here.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from kinegraph.errors import ConfigError, FormatError, KinegraphError
from kinegraph.sequence import SkeletonSequence

__all__ = ["read_recording"]


def read_recording(path: Path, *, layout: str | None = None, fps: float | None = None) -> SkeletonSequence:
    """Read a recording, with the layout and frame rate that a person stated, as ``kinegraph lift`` does.

    Raises:
        FormatError: it is in no format there is, or damaged.
        ConfigError: a layout or a rate that makes no sense, or a layout that the file tells itself.
        DataError: at the rate it would fill the memory.
    """
    from kinegraph.formats.any_source import Called, read_source
    from kinegraph.skeleton import skeleton_names

    # A layout may also be a file's name, and no visitor names files of this machine.
    if layout is not None and layout not in skeleton_names():
        raise ConfigError(f"no layout '{layout[:40]}'; choose one of the list")
    called = Called(skeleton="the layout ", fps="the rate")
    return read_source(path, skeleton=layout, fps=fps, called=called).replace(source=path.name)


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    from kinegraph.formats import write
    from kinegraph.serve.uploads import check_extent, recording_in

    found = path = Path(asked["path"])
    try:
        found = recording_in(path, asked["unpacked_bytes"])
        _check_asf(found)
        sequence = read_recording(found, layout=asked["layout"], fps=asked["fps"])
        check_extent(sequence, asked["person_frames"], path.name)
        target = path.parent / f"{asked['token']}.npz"
        write(sequence, target)
        called = found.name if path.suffix.lower() == ".zip" else path.name
        return {"npz": str(target), "called": called}
    except FormatError as error:
        # The name that its sender knows, not the one that it was unpacked to.
        return {"status": 422, "error": f"{path.name}: {error.message}"}
    except KinegraphError as error:
        return {"status": 422, "error": str(error).replace(str(found), path.name)}
    except MemoryError:
        return {"status": 413, "error": f"{path.name}: needs more memory than a recording may; send a shorter one"}
    except Exception as error:
        # A file that nobody foresaw is the file's fault to its sender, and ours to whoever runs the server.
        traceback.print_exc(file=sys.stderr)
        return {"status": 422, "error": f"{path.name}: could not be read ({type(error).__name__}); please report it"}


def _check_asf(found: Path) -> None:
    """Of what was sent: the reader would also look above the upload's folder, where nothing is its sender's.

    Raises:
        FormatError: an AMC came without an ASF that is its own.
    """
    from kinegraph.formats.motion.asf_amc import find_asf

    if found.suffix.lower() != ".amc":
        return
    with suppress(FormatError):
        if find_asf(found).parent == found.absolute().parent:
            return
    stem = found.stem.split("_")[0]
    raise FormatError(
        found,
        f"an AMC needs the ASF of its body; drop the ASF ({stem}.asf, or one of any name) together with the AMC",
    )


def _limit_memory(memory_mb: int) -> None:
    """At most so much beyond what the libraries took. Where there are no such limits (Windows), time alone is one."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (taken + memory_mb * 2**20,) * 2)


def _limit_time(seconds: float) -> None:
    """The kernel ends this process when the next file has taken so much computing; waiting counts nothing."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 1, most))


def main(arguments: list[str]) -> int:
    """Answer until the standard input ends. Arguments: megabytes of memory, seconds of computing for a file."""
    memory_mb, seconds = int(arguments[0]), float(arguments[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then closes our input
    for module in ("numpy", "scipy.optimize", "kinegraph.formats.keypoints.openpose", "kinegraph.formats.tables.npz"):
        import_module(module)  # what every reader needs, before memory is limited
    _limit_memory(memory_mb)
    # Whatever a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        _limit_time(seconds)
        answers.write(json.dumps(_answer(json.loads(line))) + "\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
