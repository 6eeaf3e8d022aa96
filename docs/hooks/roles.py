"""Docstrings say :class:`~kinegraph.sequence.SkeletonSequence`; on the pages that is the name, in type."""

from __future__ import annotations

import re
from typing import Any

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):<code>(~?)([\w.]+)</code>")


def on_page_content(html: str, **_: Any) -> str:
    """What mkdocs calls with every page's HTML."""
    return _ROLE.sub(lambda found: f"<code>{found[2].rsplit('.', 1)[-1] if found[1] else found[2]}</code>", html)
