"""The viewer's requests: the page, uploads, results, forecasts from a moment, downloads.

Every refusal is JSON with one line, ``{"error": ...}``, and a status of 400 to 499. What is uploaded lies in a
temporary folder until it is read, and no longer; results are in memory only.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import traceback
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kinegraph.errors import KinegraphError
from kinegraph.naming import without_folder
from kinegraph.serve.downloads import packed
from kinegraph.serve.guard import Guard
from kinegraph.serve.page import page
from kinegraph.serve.reading import Reader, ReadLimits, RefusedFileError
from kinegraph.serve.results import Result, Results
from kinegraph.serve.settings import ServeSettings
from kinegraph.serve.uploads import harmless_name, upload_folder
from kinegraph.visualize.analysis import Analyst

__all__ = ["Viewer", "application"]

T = TypeVar("T")
_DRAIN = 4  # times the limit: how much of a refused body is read, so that the sender hears the answer
_BODY_S = 120.0  # for a whole body; who is slower is let go
_SILENT_S = 10.0  # between two pieces of it; a place is not for who sends nothing


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


class Viewer:
    """What the requests share: settings, networks, results, a folder, and one thread for the work."""

    def __init__(self, settings: ServeSettings, analyst: Analyst | None = None) -> None:
        self.settings = settings
        self.analyst = analyst or Analyst(settings.forecast_s)
        self.results = Results(settings.keep, settings.keep_s)
        limits = ReadLimits(
            memory_mb=settings.read_mb,
            seconds=settings.read_s,
            unpacked_bytes=settings.unpacked_bytes,
            person_frames=settings.person_frames,
        )
        self.reader = Reader(limits)
        self.busy = 0
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="kinegraph-serve")
        self._page, self._policy = page(settings)
        self._folder: Path | None = None
        self._sampled: str | None = None  # the sample's result, once somebody has asked for it
        self._kept = contextlib.ExitStack()
        self._kept.callback(self.reader.close)
        # Mounted in another application nothing says when to begin or end: what was made goes with the viewer.
        self._end = weakref.finalize(self, self._kept.close)

    @property
    def folder(self) -> Path:
        """The temporary folder, made when it is first asked for and gone when the server or the viewer is."""
        if self._folder is None:
            self._folder = Path(self._kept.enter_context(tempfile.TemporaryDirectory(prefix="kinegraph-serve-")))
        return self._folder

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Everything is ready before the first visitor comes, and ends with the server."""
        self._worker.submit(self.reader.start)
        self._worker.submit(self.analyst.prepare)  # the first visitor need not wait for torch
        try:
            yield
        finally:
            self._worker.shutdown(wait=True, cancel_futures=True)
            self._end()

    async def _work(self, task: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, task)

    def _check_place(self) -> None:
        """Raises _RefusedError if ``settings.waiting`` requests are on their way or in work."""
        if self.busy >= self.settings.waiting:
            raise _RefusedError(429, f"{self.busy} files are in work already; try again in a moment")

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        """One of the places that there are for what takes work."""
        self._check_place()
        self.busy += 1
        try:
            yield
        finally:
            self.busy -= 1

    # ---- requests ------------------------------------------------------------------------------------------------

    async def index(self, _: Request) -> Response:
        """The page."""
        headers = {"content-security-policy": self._policy}
        return Response(self._page, media_type="text/html; charset=utf-8", headers=headers)

    async def upload(self, request: Request) -> Response:
        """A file in, a result out."""
        name = harmless_name(request.query_params.get("name", ""))
        layout, fps = request.query_params.get("layout") or None, _number(request, "fps")
        limit = self.settings.upload_bytes
        try:
            self._check_place()
        except _RefusedError:
            await _drain(request, _DRAIN * limit)
            raise
        with self._place(), upload_folder(self.folder) as folder:
            await asyncio.wait_for(_receive(request, folder / name, limit), _BODY_S)
            result = await self._work(lambda: self._result(folder / name, layout, fps))
        return JSONResponse(result.summary(), status_code=201)

    def _result(self, path: Path, layout: str | None, fps: float | None) -> Result:
        """Read and analyse an upload, in the worker's thread."""
        name, root = path.name, str(path.parent)
        try:
            sequence, called = self.reader.read(path, layout=layout, fps=fps)
            return self.results.add(self.analyst.analyse(sequence, called))
        except RefusedFileError as error:
            raise _RefusedError(error.status, _told(error, root)) from None
        except KinegraphError as error:
            raise _RefusedError(422, _told(error, root)) from None
        except MemoryError:
            raise _RefusedError(413, f"{name}: needs more memory than there is; send a shorter recording") from None
        except Exception as error:
            # A file that nobody foresaw is the file's fault to its sender, and ours to whoever runs the server.
            traceback.print_exc(file=sys.stderr)
            raise _RefusedError(
                422, f"{name}: could not be handled ({type(error).__name__}); please report it"
            ) from None

    async def sample(self, request: Request) -> Response:
        """The result of the motion that the package makes itself, for those who have no file at hand.

        It is one for all while it is kept: however many ask for it, they take no more than one result's place.
        """
        await _drain(request, 1024)
        with self._place():
            result = await self._work(self._sample)
        return JSONResponse(result.summary(), status_code=201)

    def _sample(self) -> Result:
        from kinegraph.serve.sample import walking

        made = None if self._sampled is None else self.results.get(self._sampled)
        if made is None:
            made = self.results.add(self.analyst.analyse(walking(), "sample walk"))
            self._sampled = made.id
        return made

    async def result(self, request: Request) -> Response:
        """What the player plays."""
        return Response(self._found(request).motion, media_type="application/json")

    async def summary(self, request: Request) -> Response:
        """What the page lists."""
        return JSONResponse(self._found(request).summary())

    async def drop(self, request: Request) -> Response:
        """Forget a result; not the sample, at which others may look: it goes by its age."""
        result = self._found(request)
        if result.id != self._sampled:
            self.results.drop(result.id)
        return Response(status_code=204)

    async def forecast(self, request: Request) -> Response:
        """A forecast from a moment of a result."""
        result = self._found(request)
        start, seconds = _number(request, "start") or 0.0, _number(request, "seconds") or self.settings.forecast_s
        if not 0 < seconds <= 10:
            raise _RefusedError(400, f"{seconds:g} s ahead: expected above 0, up to 10")
        await _drain(request, 1024)
        try:
            with self._place():
                track = await self._work(lambda: self.analyst.forecast(result.analysis, start, seconds))
        except KinegraphError as error:
            raise _RefusedError(422, str(error)) from None
        return JSONResponse(track)

    async def download(self, request: Request) -> Response:
        """A result as a file."""
        result = self._found(request)
        suffix, what = request.path_params["suffix"], request.query_params.get("what", "3d")
        try:
            with self._place(), upload_folder(self.folder) as folder:
                data, name, media = await self._work(lambda: packed(result.analysis, suffix, what, folder))
        except KinegraphError as error:
            raise _RefusedError(422, " ".join(str(error).split())) from None
        disposition = f"attachment; filename*=UTF-8''{quote(name)}"
        return Response(data, media_type=media, headers={"content-disposition": disposition})

    def _found(self, request: Request) -> Result:
        result = self.results.get(request.path_params["id"])
        if result is None:
            raise _RefusedError(404, "no such result; it may be too old: drop the file again")
        return result


def application(settings: ServeSettings | None = None, analyst: Analyst | None = None) -> Starlette:
    """The viewer as an ASGI application, to run by itself or to mount in another under any path.

    Args:
        settings: limits and address; the defaults if None.
        analyst: the networks; those of the package if None. One thread of this application asks it: no two
            applications share one.
    """
    settings = settings or ServeSettings()
    viewer = Viewer(settings, analyst)
    base = "/api/results/{id:str}"
    app = Starlette(
        routes=[
            Route("/", viewer.index),
            Route("/api/files", viewer.upload, methods=["POST"]),
            Route("/api/sample", viewer.sample, methods=["POST"]),
            Route(base, viewer.result),
            Route(base, viewer.drop, methods=["DELETE"]),
            Route(f"{base}/summary", viewer.summary),
            Route(f"{base}/forecast", viewer.forecast, methods=["POST"]),
            Route(f"{base}/download/{{suffix:str}}", viewer.download),
        ],
        middleware=[Middleware(Guard, host=settings.host)],
        exception_handlers={
            _RefusedError: _refused,
            HTTPException: _refused,
            ClientDisconnect: _gone,
            asyncio.TimeoutError: _gone,
        },
        lifespan=viewer.lifespan,
    )
    app.state.viewer = viewer
    return app


async def _refused(_: Request, error: Exception) -> Response:
    if isinstance(error, _RefusedError):
        headers = {"retry-after": "2"} if error.status == 429 else None
        return JSONResponse({"error": error.message}, status_code=error.status, headers=headers)
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail.lower()}, status_code=error.status_code, headers=error.headers)


async def _gone(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "the file did not arrive whole in time"}, status_code=408)


async def _receive(request: Request, path: Path, limit: int) -> None:
    """Write the body to `path` as it comes.

    Raises:
        _RefusedError: it is empty or larger than `limit` bytes; what was written is the caller's to remove.
        TimeoutError: nothing came for ten seconds.
    """
    too_large = f"the file is larger than {limit / 2**20:.0f} MiB; cut it, or use 'kinegraph view'"
    claimed = request.headers.get("content-length", "")
    if claimed.isdigit() and int(claimed) > limit:
        await _drain(request, _DRAIN * limit)
        raise _RefusedError(413, too_large)
    size = 0
    with path.open("xb") as sink:
        pieces = request.stream()
        while (piece := await asyncio.wait_for(anext(pieces, None), _SILENT_S)) is not None:
            size += len(piece)
            if size > limit:
                break
            sink.write(piece)
    if size > limit:
        path.unlink()
        await _drain(request, _DRAIN * limit)
        raise _RefusedError(413, too_large)
    if not size:
        raise _RefusedError(400, f"{path.name}: the file is empty")


async def _drain(request: Request, most: int) -> None:
    """Read and forget up to `most` bytes: a connection closed on a sender loses the answer too."""

    async def read() -> None:
        size = 0
        with contextlib.suppress(ClientDisconnect, RuntimeError):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    return

    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(read(), _BODY_S)


def _number(request: Request, key: str) -> float | None:
    text = request.query_params.get(key, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < 1e9:
        raise _RefusedError(400, f"{key}={text[:20]!r} is no number")
    return value


def _told(error: KinegraphError, root: str) -> str:
    """An error's line without the folder that only this server knows."""
    return without_folder(" ".join(str(error).split()), root).replace(root, "")
