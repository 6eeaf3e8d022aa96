"""One frame at a time: what a camera sees now becomes 3D, actions and forecasts now."""

from kinegraph.inference.live.session import Live, LiveInput, LivePerson, LiveResult, live, replay

__all__ = ["Live", "LiveInput", "LivePerson", "LiveResult", "live", "replay"]
