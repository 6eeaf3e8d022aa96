"""Uploads are read in a process of their own, so that a hostile file can neither stop nor swell the viewer.

The process is started once and kept; a file that makes it exceed its memory or its time ends that process alone, its
sender is told so, and the next file gets a new one.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinegraph.errors import KinegraphError
from kinegraph.sequence import SkeletonSequence

__all__ = ["Reader", "RefusedFileError"]

#: files after which the process is replaced: what fragments or leaks in a reader cannot add up
FILES_A_PROCESS = 200
_WALL = 6.0  # times the computing time: how long a file may take by the clock, on a machine that is busy


class RefusedFileError(KinegraphError):
    """A file that cannot be read, with the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class ReadLimits:
    """What reading one file may take.

    Args:
        memory_mb: MiB beyond what an idle reader has.
        seconds: of computing.
        unpacked_bytes: largest archive once it is unpacked.
        person_frames: longest recording, people times frames.
    """

    memory_mb: int
    seconds: float
    unpacked_bytes: int
    person_frames: int


class Reader:
    """A process that reads files under limits; for one thread at a time.

    Args:
        limits: what a file may take.
    """

    def __init__(self, limits: ReadLimits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[str] | None = None
        self._files = 0

    def start(self) -> subprocess.Popen[str]:
        """The process, started if there is none that lives."""
        if self._process is not None and self._process.poll() is None and self._files < FILES_A_PROCESS:
            return self._process
        self.close()
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(os.path.abspath(part) for part in sys.path),
            "OMP_NUM_THREADS": "1",  # the readers multiply nothing large, and every thread reserves memory
            "OPENBLAS_NUM_THREADS": "1",
        }
        command = [sys.executable, "-P", "-m", "kinegraph.serve.reading_child"]
        command += [str(self.limits.memory_mb), str(self.limits.seconds)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=environment
        )
        self._files = 0
        return self._process

    def close(self) -> None:
        """End the process; the next file starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def read(self, path: Path, *, layout: str | None, fps: float | None) -> tuple[SkeletonSequence, str]:
        """Read an upload, unpacking it if it is an archive.

        Args:
            path: the upload, alone in its folder.
            layout: joints as stated by the sender, if the file does not say.
            fps: rate as stated by the sender.

        Returns:
            The sequence, and what it is called.

        Raises:
            RefusedFileError: it is damaged, hostile or too large.
        """
        from kinegraph.formats import read

        answer = self._ask(
            {
                "path": str(path),
                "layout": layout,
                "fps": fps,
                "unpacked_bytes": self.limits.unpacked_bytes,
                "person_frames": self.limits.person_frames,
                "token": secrets.token_hex(8),
            },
            path.name,
        )
        if "error" in answer:
            raise RefusedFileError(int(answer["status"]), str(answer["error"]))
        called = str(answer["called"])
        return read(Path(str(answer["npz"])), format="npz").replace(source=called), called

    def _ask(self, question: dict[str, Any], name: str) -> dict[str, Any]:
        process = self.start()
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Timer(_WALL * self.limits.seconds, process.kill)
        late.start()
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        finally:
            late.cancel()
        self._files += 1
        if line.endswith("\n"):
            answer: dict[str, Any] = json.loads(line)
            return answer
        self.close()
        raise RefusedFileError(
            422,
            f"{name}: reading it takes more than {self.limits.seconds:g} s or {self.limits.memory_mb} MiB; cut it, or "
            "use 'kinegraph view'",
        )
