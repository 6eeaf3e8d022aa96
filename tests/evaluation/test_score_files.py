"""Scores go to disk and come back; whatever else is in such a file is refused in one line."""

from __future__ import annotations

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from clip_methods import numbered, says
from hypothesis import given, settings
from hypothesis import strategies as st

from kinegraph.errors import ConfigError, FormatError, KinegraphError
from kinegraph.evaluation import score_files
from kinegraph.evaluation.clip_recognition import evaluate_clips
from kinegraph.evaluation.recognition_result import fuse
from kinegraph.evaluation.score_files import load_scores, save_scores
from kinegraph.evaluation.score_fusion import search_weights


@pytest.fixture(scope="module")
def clips():
    return numbered([0, 0, 1, 1, 2, 0], [0, 1, 1, 2, 2, 0], classes=3, splits=["test"] * 3 + ["val"] * 3)


@pytest.fixture(scope="module")
def result(clips):
    return evaluate_clips(says(classes=3), clips, "folder")


@pytest.fixture
def saved(result, tmp_path):
    save_scores(result, tmp_path / "s.npz")
    return tmp_path / "s.npz"


def arrays_of(path):
    with np.load(path, allow_pickle=False) as file:  # anyone reads it, without pickles
        return dict(file)


def test_there_and_back(result, saved):
    again = load_scores(saved)
    np.testing.assert_array_equal(again.logits, result.logits)
    assert again.names == result.names
    a, b = again.to_json(), result.to_json()
    for key in set(a) - {"info"}:
        assert a[key] == b[key], key
    assert set(arrays_of(saved)) == {"names", "labels", "logits", "folds", "classes", "about"}


def change(path, **changes):
    arrays = arrays_of(path) | changes
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def test_damage_is_refused(saved, tmp_path):
    whole = saved.read_bytes()
    about = json.loads(str(arrays_of(saved)["about"]))
    for changes, message in (
        ({"logits": None}, "no array 'logits'"),
        ({"labels": np.array([0, 1, 5])}, "labels 0 to 5 for 3 classes"),
        ({"labels": np.array([0.0, 1, 1])}, "'labels' is an array of float64"),
        ({"logits": np.zeros((3, 2), np.float32)}, "do not go together"),
        ({"logits": np.full((3, 3), np.nan, np.float32)}, "not finite"),
        ({"names": np.array(["a", "a", "b"])}, "counted twice"),
        ({"names": np.array([["a"], "b", 3], dtype=object)}, "an array of object"),
        ({"about": np.array("{}")}, "does not say"),
        ({"about": np.array("no json")}, "does not say"),
        ({"about": np.array(json.dumps({**about, "data": 3}))}, "about.data is int"),
        ({"about": np.array({"format": 1}, dtype=object)}, "a pickled dict"),
    ):
        saved.write_bytes(whole)
        with pytest.raises(FormatError, match=message) as caught:
            load_scores(change(saved, **changes))
        assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(FormatError, match="cannot be read"):
        load_scores(tmp_path / "nowhere.npz")


class Bad:
    def __reduce__(self):
        return print, ("this ran",)


def test_nothing_runs(saved, capsys):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "|O", "fortran_order": False, "shape": ()})
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("more.npy", content.getvalue() + pickle.dumps(Bad()))
    with pytest.raises(FormatError, match="print"):
        load_scores(saved)
    assert "this ran" not in capsys.readouterr().out


def test_a_zip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, logits=np.zeros((1 << 20, 4), np.float32))
    monkeypatch.setattr(score_files, "_LARGEST", 1 << 20)
    with pytest.raises(FormatError, match="would unpack to"):
        load_scores(path)


@settings(max_examples=30, deadline=None)
@given(cut=st.floats(0, 0.999), flip=st.integers(0, 255))
def test_cut_or_changed_files_are_refused_or_read(tmp_path_factory, result, cut, flip):
    folder = tmp_path_factory.mktemp("cut")
    save_scores(result, folder / "s.npz")
    whole = bytearray((folder / "s.npz").read_bytes())
    place = int(cut * len(whole))
    (folder / "s.npz").write_bytes(whole[:place])
    with pytest.raises(FormatError):
        load_scores(folder / "s.npz")
    whole[place] ^= flip
    (folder / "s.npz").write_bytes(whole)
    said = ""
    try:
        load_scores(folder / "s.npz")
    except KinegraphError as error:
        said = str(error)
    assert len(said.splitlines()) <= 1


def test_only_clips_and_npz(result, tmp_path):
    with pytest.raises(KinegraphError, match=r"saved as \.npz"):
        save_scores(result, tmp_path / "s.csv")


# ------------------------------------------------------------------------------------------------------------ search


def test_weights_are_searched_on_validation_alone(clips, result):
    with pytest.raises(ConfigError, match="scores of the test clips; weights are searched on validation"):
        search_weights([result, result])


def test_search_finds_what_an_exhaustive_look_finds(clips):
    rng = np.random.default_rng(0)
    tables = rng.normal(size=(3, 3, 3))
    results = [
        evaluate_clips(
            says(lambda x, t=table: t[x.round().astype(int)], classes=3, label=f"m{n}"), clips, "folder", part="val"
        )
        for n, table in enumerate(tables)
    ]
    weights = search_weights(results)
    assert sum(weights) == pytest.approx(1)
    best = max(fuse(results, (a / 10, b / 10, (10 - a - b) / 10)).top1 for a in range(11) for b in range(11 - a))
    assert fuse(results, weights).top1 == best
    same = search_weights([results[0], results[0]])
    assert same == (0.5, 0.5)  # of equally good weights the most equal
