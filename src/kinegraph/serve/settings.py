"""What a person who starts the viewer may choose, and the limits that keep it small."""

from __future__ import annotations

from dataclasses import dataclass

from kinegraph.errors import ConfigError

_MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Where the viewer listens and how much it takes.

    Args:
        host: address to listen at; the loopback unless you mean to let others in.
        port: TCP port; 0 takes a free one.
        upload_mb: largest file in MiB; a larger one is answered 413.
        waiting: uploads, samples, forecasts and downloads on their way or in work at one time; the next is answered
            429 and comes again.
        keep: results kept; the oldest goes when another comes.
        keep_s: seconds after which a result nobody looks at goes.
        person_frames: longest recording, people times frames; a longer one is answered 422.
        read_s: seconds of computing that reading a file may take; a file that takes more is answered 422.
        read_mb: MiB of memory that reading a file may take, likewise.
        forecast_s: how far the forecast at the end looks, seconds.

    Raises:
        ConfigError: a value outside its range.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    upload_mb: int = 50
    waiting: int = 8
    keep: int = 24
    keep_s: float = 3600.0
    person_frames: int = 60_000
    read_s: float = 20.0
    read_mb: int = 2048
    forecast_s: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"--port {self.port} is no port; expected 0 to 65535")
        for name, least in (("upload_mb", 1), ("waiting", 1), ("keep", 1), ("person_frames", 1), ("read_mb", 64)):
            if getattr(self, name) < least:
                raise ConfigError(f"serve: {name} is {getattr(self, name)}; expected at least {least}")
        if self.upload_mb > 1024:
            raise ConfigError(f"serve: upload_mb is {self.upload_mb}; expected at most 1024")
        if not self.keep_s > 0 or not self.read_s >= 1 or not 0 < self.forecast_s <= 10:
            raise ConfigError("serve: keep_s must be above 0, read_s at least 1, and forecast_s above 0, up to 10")

    @property
    def upload_bytes(self) -> int:
        """Largest upload, bytes."""
        return self.upload_mb * _MIB

    @property
    def unpacked_bytes(self) -> int:
        """Largest archive once it is unpacked, bytes."""
        return 4 * self.upload_bytes

    @property
    def loopback(self) -> bool:
        """Whether only this machine can come in."""
        return self.host in ("127.0.0.1", "::1", "localhost")
