"""Names that can be written, and names that nobody bears yet."""

from __future__ import annotations

import os

from kinegraph.naming import as_text, free_name


def test_what_is_no_utf8_is_spelt_out_and_two_names_stay_two() -> None:
    assert as_text("wälk_日本") == "wälk_日本"
    first, second = (os.fsdecode(b"w" + letter + b"lk") for letter in (b"\xe4", b"\xf6"))
    assert as_text(first) == r"w\udce4lk"
    assert as_text(second) == r"w\udcf6lk"
    as_text("\ud83d of a pair").encode()


def test_the_first_name_that_is_not_taken() -> None:
    assert free_name("hand", set()) == "hand"
    assert free_name("hand", ["hand"]) == "hand_2"
    assert free_name("hand", {"hand", "hand_2", "hand_4"}) == "hand_3"
    assert free_name("run {2}", {"run {2}"}, "{name} ({number})") == "run {2} (2)"
