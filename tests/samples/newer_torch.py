"""What cannot be tested with a PyTorch that does not trace every network."""

from __future__ import annotations

import pytest

from kinegraph.export.onnx_file import remedy

TOO_OLD = remedy() != ""
needs_newer_torch = pytest.mark.skipif(TOO_OLD, reason=f"what an export says here{remedy()}")
