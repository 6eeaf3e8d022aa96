"""Action clips of ragged length: what one is, where they come from, and prepared folders that are read at random."""

from kinegraph.store.clip import ActionClip, ClipSource

__all__ = ["ActionClip", "ClipSource"]
