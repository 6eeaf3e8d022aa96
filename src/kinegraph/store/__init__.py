"""Action clips of ragged length: what one is, where they come from, and prepared folders that are read at random."""

from kinegraph.store.clip import ActionClip, Clips, ClipSource
from kinegraph.store.clip_store import ClipStore
from kinegraph.store.memory import MemoryClips
from kinegraph.store.prepare import PreparedClips, prepare_clips

__all__ = ["ActionClip", "ClipSource", "ClipStore", "Clips", "MemoryClips", "PreparedClips", "prepare_clips"]
