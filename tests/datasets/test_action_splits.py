"""Recognition protocols: who trains, what is refused, and containers that know no subjects."""

from __future__ import annotations

import numpy as np
import pytest
from action_files import write_store

from kinegraph.datasets.action_splits import PROTOCOLS, hold_out, split, takes_files_word
from kinegraph.errors import ConfigError, DataError

pytest.importorskip("pyarrow")


def test_ntu_rules(tmp_path) -> None:
    known = [
        {"subject": f"P{p:03d}", "camera": c, "setup": s} for p, c, s in ((1, 1, 1), (3, 2, 2), (38, 3, 3), (45, 1, 4))
    ]
    store = write_store(tmp_path / "60", known)
    assert split(store, "ntu60-xsub", "train").tolist() == [0, 2]
    assert split(store, "ntu60-xsub", "test").tolist() == [1, 3]
    assert split(store, "ntu60-xview", "train").tolist() == [1, 2]
    with pytest.raises(DataError, match="60 classes; ntu120-xsub has 120"):
        split(store, "ntu120-xsub", "train")
    larger = write_store(tmp_path / "120", known, classes=120)
    assert split(larger, "ntu120-xsub", "train").tolist() == [0, 2, 3]
    assert split(larger, "ntu120-xset", "train").tolist() == [1, 3]
    assert split(larger, "ntu120-xset", "test").tolist() == [0, 2]


def test_hdm05_folds(tmp_path) -> None:
    subjects = ["bd", "bk", "dg", "mm", "tr"]
    store = write_store(tmp_path, [{"subject": name} for name in subjects], classes=11)
    assert split(store, "hdm05-11", "train").tolist() == [0, 1, 2]
    assert split(store, "hdm05-11", "test").tolist() == [3, 4]
    for fold in range(5):
        assert split(store, "hdm05-11-one", "train", fold).tolist() == [fold]
        assert split(store, "hdm05-11-one", "test", fold).tolist() == [n for n in range(5) if n != fold]
    with pytest.raises(ConfigError, match="folds 0 to 4; found 5"):
        split(store, "hdm05-11-one", "train", 5)
    with pytest.raises(DataError, match="no clips of hdm05-11 val"):
        split(store, "hdm05-11", "val")


def test_counts_of_hdm05(shared_data) -> None:
    from kinegraph.datasets.hdm05 import Hdm05Source

    counts = dict.fromkeys(("bd", "bk", "dg", "mm", "tr"), 0)
    for item in Hdm05Source(shared_data).items:
        counts[item[3]] += 1
    assert counts["bd"] + counts["bk"] + counts["dg"] == 189
    assert counts["mm"] + counts["tr"] == 99


def test_parts_that_containers_name(tmp_path) -> None:
    pyskl = write_store(
        tmp_path / "p", [{"splits": ("xsub_train", "xview_val")}, {"splits": ("xsub_val", "xview_train")}]
    )
    assert split(pyskl, "ntu60-xsub", "train").tolist() == [0]
    assert split(pyskl, "ntu60-xview", "test").tolist() == [0]
    assert split(pyskl, "xsub", "test").tolist() == [1]
    ctrgcn = write_store(tmp_path / "c", [{"splits": ("train",)}, {"splits": ("test",)}])
    assert split(ctrgcn, "ntu60-xsub", "test").tolist() == [1]
    three = write_store(tmp_path / "3", [{"splits": (part,)} for part in ("train", "val", "test")], classes=3)
    assert [split(three, "folder", part).tolist() for part in ("train", "val", "test")] == [[0], [1], [2]]
    two = write_store(tmp_path / "2", [{"splits": (part,)} for part in ("train", "val")], 3, "kinetics-skeleton")
    assert split(two, "kinetics-skeleton", "test").tolist() == [1]
    with pytest.raises(DataError, match="no clips of kinetics-skeleton val"):
        split(two, "kinetics-skeleton", "val")


def test_another_number_of_classes_names_the_split_of_the_files(tmp_path) -> None:
    store = write_store(tmp_path / "p", [{"splits": ("xsub_train",)}, {"splits": ("xsub_val",)}], classes=50)
    with pytest.raises(
        DataError, match=r"50 classes; ntu60-xsub has 60.* instead of ntu60-xsub: xsub \(evaluate --pro"
    ):
        split(store, "ntu60-xsub", "train")
    assert split(store, "xsub", "train").tolist() == [0]


def test_clips_of_another_data_set_are_refused(tmp_path) -> None:
    parts = [{"splits": (part,)} for part in ("train", "test")]
    for name in ("kinetics-skeleton", "cmu-8", "everyday", "synthetic-recognition"):
        with pytest.raises(DataError, match=rf"clips of hdm05-11; {name} divides those of"):
            split(write_store(tmp_path / name, parts, 11, "hdm05-11"), name, "test")


def test_whose_parts_they_are(tmp_path) -> None:
    """CTR-GCN's npz of X-Sub's parts would give a figure of X-View as well."""
    ctrgcn = write_store(tmp_path / "c", [{"splits": ("train",)}, {"splits": ("test",)}], dataset="ctrgcn")
    assert takes_files_word(ctrgcn, "ntu60-xsub")
    assert takes_files_word(ctrgcn, "ntu60-xview")
    pyskl = write_store(tmp_path / "p", [{"splits": ("xsub_train",)}, {"splits": ("xsub_val",)}], dataset="pyskl")
    assert not takes_files_word(pyskl, "ntu60-xsub")
    assert not takes_files_word(pyskl, "xsub")
    named = write_store(tmp_path / "n", [{"subject": "P001", "splits": ("train",)}, {"subject": "P003"}])
    assert not takes_files_word(named, "ntu60-xsub")


def test_numbered_splits_of_containers(tmp_path) -> None:
    """As PYSKL's of UCF101 and HMDB51."""
    parts = [("train1", "test2"), ("train2", "test1"), ("train1", "train2"), ("test1", "test2")]
    store = write_store(tmp_path / "ucf", [{"splits": part} for part in parts], classes=3)
    for name in ("train1", "1"):
        assert [split(store, name, part).tolist() for part in ("train", "test")] == [[0, 2], [1, 3]]
    assert [split(store, "train2", part).tolist() for part in ("train", "test")] == [[1, 2], [0, 3]]
    with pytest.raises(DataError, match="no clips of train1 val"):
        split(store, "train1", "val")
    with pytest.raises(ConfigError, match="splits train1, train2; parts test1, test2, train1, train2; protocols are"):
        split(store, "ucf101", "train")
    three = write_store(tmp_path / "3", [{"splits": (f"{part}1",)} for part in ("train", "val", "test")], classes=3)
    assert [split(three, "1", part).tolist() for part in ("train", "val", "test")] == [[0], [1], [2]]
    plain = write_store(tmp_path / "gym", [{"splits": ("train",)}, {"splits": ("val",)}], classes=3)
    with pytest.raises(ConfigError, match="its files name parts train, val; train and what is beside it go by folder;"):
        split(plain, "gym", "train")


def test_own_clips_without_parts(tmp_path) -> None:
    store = write_store(tmp_path / "none", [{"label": n % 2} for n in range(20)], classes=2)
    train, test = split(store, "folder", "train"), split(store, "folder", "test")
    assert sorted([*train, *test]) == list(range(20))
    assert np.bincount(store.labels[test]).tolist() == [2, 2]
    assert split(store, "folder", "test").tolist() == test.tolist()  # always the same ones
    partly = write_store(tmp_path / "some", [{"splits": ("train",)}, {}, {"splits": ("test",)}])
    assert [split(partly, "folder", part).tolist() for part in ("train", "test")] == [[0], [2]]


def test_one_clip_more_of_ones_own_moves_one_at_most(tmp_path) -> None:
    """Whoever was trained before it came must not be tested on what it has seen."""
    names = [f"run/take{n:02d}.bvh" for n in range(10)] + [f"clap/take{n * 7 % 20:02d}.bvh" for n in range(20)]
    before: set[str] = set()
    for count in range(13, 31):
        known = [{"name": name, "label": int(name.startswith("run"))} for name in sorted(names[:count])]
        store = write_store(tmp_path / str(count), known, classes=2)
        test = {store.names[clip] for clip in split(store, "folder", "test")}
        assert [sum(name.startswith(action) for name in test) for action in ("run", "clap")] == [
            2,
            round(0.2 * (count - 10)),
        ]
        assert count == 13 or len(before - test) + len(test - before - {names[count - 1]}) <= 1
        before = test


def test_what_does_not_exist(tmp_path) -> None:
    store = write_store(tmp_path, [{"subject": "P001", "label": -1}, {"subject": "ann"}])
    with pytest.raises(ConfigError, match="did you mean 'ntu60-xsub'"):
        split(store, "ntu60-xsup", "train")
    with pytest.raises(ConfigError, match="no part 'training'; did you mean 'train'"):
        split(store, "folder", "training")
    with pytest.raises(DataError, match=r"'clip1' does not say whether it trains under ntu60-xsub \(subject 'ann'"):
        split(store, "ntu60-xsub", "train")
    with pytest.raises(DataError, match="no clips of folder val"):
        split(store, "folder", "val")
    assert {"hdm05-11", "hdm05-11-one", "cmu-8", "ntu60-xsub", "ntu60-xview", "ntu120-xsub", "ntu120-xset",
            "kinetics-skeleton", "synthetic-recognition", "folder", "everyday"} == set(PROTOCOLS)  # fmt: skip


def test_too_few_clips_of_ones_own_to_test_on(tmp_path) -> None:
    store = write_store(tmp_path, [{"label": n // 2} for n in range(4)], classes=2)
    assert split(store, "folder", "train").tolist() == [0, 1, 2, 3]
    with pytest.raises(
        DataError, match="no clips of folder test .*; a fifth of each class tests: give a class 3 clips"
    ):
        split(store, "folder", "test")


def test_held_out_clips_are_of_every_class() -> None:
    labels = np.repeat([0, 1, 2], [10, 20, 1])
    train, held = hold_out(labels, np.arange(1, 31), 0.2, seed=3)
    assert sorted([*train, *held]) == list(range(1, 31))
    assert np.bincount(labels[held], minlength=3).tolist() == [2, 4, 0]
    assert hold_out(labels, np.arange(31), 0.2, seed=3)[1].tolist() != held.tolist()
    with pytest.raises(ConfigError, match="share 1"):
        hold_out(labels, np.arange(3), 1.0)
