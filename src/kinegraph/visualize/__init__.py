"""Pictures of motion: stills (PNG), animations (GIF, MP4) and a page with a player (HTML).

Everything here takes :class:`~kinegraph.sequence.SkeletonSequence` and writes a file; nothing opens a window.
Drawing is done with Pillow, imported only when something is drawn.
"""

from kinegraph.visualize.animation import write_animation
from kinegraph.visualize.forecast import write_forecast
from kinegraph.visualize.motion import Band, Ghost, action_bands
from kinegraph.visualize.player import player_html, write_player
from kinegraph.visualize.pose_strip import write_pose_strip
from kinegraph.visualize.stills import Cell, write_filmstrip, write_grid
from kinegraph.visualize.style import DARK, LIGHT, Theme, theme
from kinegraph.visualize.timeline import write_timeline

__all__ = [
    "DARK",
    "LIGHT",
    "Band",
    "Cell",
    "Ghost",
    "Theme",
    "action_bands",
    "player_html",
    "theme",
    "write_animation",
    "write_filmstrip",
    "write_forecast",
    "write_grid",
    "write_player",
    "write_pose_strip",
    "write_timeline",
]
