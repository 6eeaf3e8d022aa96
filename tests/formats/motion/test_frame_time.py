"""The rate that a printed frame time stands for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinegraph.formats.motion.frame_time import printed_rate


@pytest.mark.parametrize(
    ("word", "fps"),
    [
        ("0.0333333", 30),
        ("0.0333", 30),
        ("0.033", 30),
        ("3.33e-2", 30),
        ("0.0083", 120),
        ("0.0167", 60),
        ("0.017", 60),
        ("0.0417", 24),
        ("0.04", 25),
        ("0.01", 100),
        (".0069444", 144),
        ("0.0333667", 29.97),
        ("0.033367", 29.97),
        ("0.0334", 29.97),
        ("0.016683", 59.94),
        ("0.041708", 23.976),
        ("0.0083417", 119.88),
        ("0.033366666667", 1 / 0.033366666667),  # 30000 / 1001, as its digits say
        ("0.016", 62.5),  # 61 to 64 lie within the rounding, and none is customary
        ("0.03", 1 / 0.03),  # says too little
        ("0.0344828", 29),
        ("1", 1),
        ("0.75", 1 / 0.75),
    ],
)
def test_rates(word: str, fps: float) -> None:
    assert printed_rate(word) == pytest.approx(fps, rel=1e-12)


@given(fps=st.integers(1, 1000), digits=st.integers(4, 12))
def test_a_whole_rate_comes_back_or_the_reciprocal_of_what_was_printed(fps: int, digits: int) -> None:
    word = f"{1 / fps:#.{digits}g}"  # with its last zeros: 0.0033 may be 300
    assert printed_rate(word) in (fps, 1 / float(word))
    if digits >= 7:
        assert printed_rate(word) == fps


@given(st.floats(1e-6, 1.0))
def test_never_further_than_the_rounding(seconds: float) -> None:
    for word in (repr(seconds), f"{seconds:.6f}"):
        if float(word) > 0:
            assert printed_rate(word) == pytest.approx(1 / float(word), rel=0.04)
