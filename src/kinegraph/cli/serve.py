"""The viewer in the browser: drop a file, see it in 2D and 3D, its actions on a timeline and its forecast as a ghost.

It listens at this machine only and works offline; what is dropped is deleted once it is read, and results are in
memory until they are old (an hour) or the viewer ends (Ctrl-C).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from kinegraph.cli.threads import one_thread

HELP = "the viewer in the browser: drop a file, see 2D, 3D, actions and the forecast"

EXAMPLES = """\
examples:
  kinegraph serve
  kinegraph serve --port 0 --open        # a free port, and the browser opens
  kinegraph serve --host 0.0.0.0         # let the network in (anyone who reaches it may use it)
  kinegraph serve --lifter lift-causal --recognizer runs/recognition/best"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    from kinegraph.cli.options import add_network_arguments

    parser.add_argument("--port", type=int, default=8765, metavar="N", help="port (default 8765; 0: a free one)")
    parser.add_argument("--host", default="127.0.0.1", metavar="A", help="address to listen at (default this machine)")
    parser.add_argument("--upload-mb", type=int, default=50, metavar="MB", help="largest file (default 50)")
    parser.add_argument("--open", action="store_true", help="open the browser")
    add_network_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Listen until Ctrl-C."""
    from kinegraph.serve import ServeSettings
    from kinegraph.serve.run import serve
    from kinegraph.visualize.analysis import Analyst

    one_thread()
    settings = ServeSettings(host=args.host, port=args.port, upload_mb=args.upload_mb)
    analyst = Analyst(settings.forecast_s, lifter=args.lifter, recognizer=args.recognizer, forecaster=args.forecaster)

    def started(address: str, others: Sequence[str]) -> None:
        outside = f", for others at {' or '.join(others)}" if others else ""
        who = "" if settings.loopback else f"; anyone who reaches {'these' if others else settings.host} may use it"
        print(f"the viewer is at {address}{outside} (Ctrl-C ends it{who})", flush=True)
        if args.open:
            import webbrowser

            webbrowser.open(address)

    serve(settings, analyst=analyst, started=started)
    return 0
