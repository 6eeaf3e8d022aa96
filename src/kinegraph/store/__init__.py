"""Action clips of ragged length: what one is, where they come from, and prepared folders that are read at random."""

from kinegraph.store.clip import ActionClip, ClipSource
from kinegraph.store.clip_store import ClipStore
from kinegraph.store.prepare import Prepared, prepare_clips

__all__ = ["ActionClip", "ClipSource", "ClipStore", "Prepared", "prepare_clips"]
