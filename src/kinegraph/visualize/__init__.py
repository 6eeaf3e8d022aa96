"""Pictures of motion: stills (PNG), animations (GIF, MP4) and a page with a player (HTML).

Everything here takes :class:`~kinegraph.sequence.SkeletonSequence` and writes a file; nothing opens a window.
Drawing is done with Pillow, imported only when something is drawn.
"""

from kinegraph.visualize.animation import write_animation
from kinegraph.visualize.forecast import write_forecast, write_timeline
from kinegraph.visualize.player import player_html, write_player
from kinegraph.visualize.pose_strip import write_pose_strip
from kinegraph.visualize.stills import Cell, write_filmstrip, write_grid
from kinegraph.visualize.style import DARK, LIGHT, Theme, theme

__all__ = [
    "DARK",
    "LIGHT",
    "Cell",
    "Theme",
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
