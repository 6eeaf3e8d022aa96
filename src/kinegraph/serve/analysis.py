"""Where :mod:`kinegraph.visualize.analysis` was."""

from kinegraph.visualize.analysis import Analysis, Analyst

__all__ = ["Analysis", "Analyst"]
