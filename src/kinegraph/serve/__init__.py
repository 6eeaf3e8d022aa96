"""The viewer as a local web page: drop a file, see it in 2D and 3D with its actions and what may come next.

`kinegraph serve` is built on starlette and uvicorn (extra ``serve``); the page needs no library and asks nobody
outside. :func:`~kinegraph.serve.run.serve` starts it, :func:`~kinegraph.serve.app.application` is the ASGI application
for those who have a server of their own, :class:`~kinegraph.visualize.analysis.Analyst` does the work.
"""

from kinegraph.serve.settings import ServeSettings

__all__ = ["ServeSettings"]
