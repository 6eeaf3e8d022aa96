"""The viewer's page: the player with a place to drop files, a list of results, and downloads."""

from __future__ import annotations

import json
from importlib.resources import files

from kinegraph.serve.settings import ServeSettings
from kinegraph.skeleton import skeleton_names
from kinegraph.visualize.player import page_html, text_of

__all__ = ["page"]


def page(settings: ServeSettings) -> tuple[str, str]:
    """The page and the content security policy that goes with it as a header.

    Args:
        settings: limits that the page tells before a file is sent.
    """
    assets = files("kinegraph.serve") / "assets"
    parts = {name: text_of(assets / f"{name}.html") for name in ("aside", "tools", "options", "keys", "dialogs")}
    text = page_html(
        title="Kinegraph",
        script=f"{text_of(assets / 'pack.js')}\n{text_of(assets / 'app.js')}",
        style=text_of(assets / "app.css"),
        slots={name.upper(): html.replace("@LIMIT@", str(settings.upload_mb)) for name, html in parts.items()},
        policy={"connect-src": "'self'"},
    )
    known = {
        "limit": settings.upload_bytes,
        "limit_mb": settings.upload_mb,
        "seconds": settings.forecast_s,
        "layouts": list(skeleton_names()),
    }
    about = json.dumps(known).replace("<", "\\u003c")
    text = text.replace("@MOTION@", f'<script type="application/json" id="about-server">{about}</script>')
    meta = text.partition('Content-Security-Policy" content="')[2].partition('"')[0]
    return text, f"{meta}; frame-ancestors 'none'"
