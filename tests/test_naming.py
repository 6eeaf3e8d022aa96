"""Names that can be written, that nobody bears yet, that do not tell where somebody works."""

from __future__ import annotations

import os
from pathlib import Path

from kinegraph.naming import as_text, free_name, without_folder


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


def test_a_message_names_files_as_seen_from_their_folder() -> None:
    for folder in ("/home/ada", Path("/home/ada/")):
        assert without_folder("/home/ada/b/c.bvh: bad; '/home/ada/d' too", folder) == "b/c.bvh: bad; 'd' too"
    assert without_folder("/home/adam/c.bvh: bad", "/home/ada") == "/home/adam/c.bvh: bad"
    assert without_folder("no/home/ada/c.bvh: bad", "/home/ada") == "no/home/ada/c.bvh: bad"
    assert without_folder("a./b.bvh: bad", ".") == "a./b.bvh: bad"
    assert without_folder("/b/c.bvh: bad", "/") == "/b/c.bvh: bad"
