"""The line that says where a run is: redrawn where somebody looks on, brief in a file."""

from __future__ import annotations

from kinegraph.training.progress_line import ProgressLine


class Terminal:
    """A stream that notes what is written."""

    def __init__(self, live: bool) -> None:
        self.live, self.text = live, ""

    def isatty(self) -> bool:
        return self.live

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_progress_redraws_one_line_in_a_terminal_and_is_brief_in_a_file() -> None:
    live, file = Terminal(True), Terminal(False)
    for stream in (live, file):
        line = ProgressLine(10, stream)  # type: ignore[arg-type]
        line.update(1, "a")
        line._drawn = 0.0
        line.update(2, "b")
        line.update(3, "c", keep=True)
        line.close()
    assert live.text.count("\n") == 1
    assert live.text.count("\r") == 3
    assert file.text.count("\n") == 1
    assert file.text.startswith("step 3/10  c")
