"""The strongest edges of a graph, windows by action, and the map of graphs."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
import torch
from motion_files import write_recordings, write_weights

from kinegraph.datasets import cmu_actions
from kinegraph.errors import ConfigError, DataError, MissingExtraError
from kinegraph.evaluation.actional_graphs import (
    actional_graphs,
    edges_report,
    graph_map,
    map_report,
    node_names,
    stream_of,
    strongest_edges,
    with_nodes,
)
from kinegraph.evaluation.analysis_pictures import draw_actional_graphs, draw_map
from kinegraph.evaluation.labelled_windows import LabelledWindows, body_positions, load_labelled_windows
from kinegraph.skeleton import Skeleton
from kinegraph.weights import load_weights

CHAIN = Skeleton(name="chain", joints=("a", "b", "c"), parents=(-1, 0, 1))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("cmu"))


@pytest.fixture(scope="module")
def weights(recordings, tmp_path_factory):
    return load_weights(write_weights(tmp_path_factory.mktemp("runs"), recordings))


def test_strongest_edges_by_hand():
    graph = np.array([[0.9, 0.06, 0.04], [0.5, 0.2, 0.3], [0.35, 0.05, 0.6]])
    found = strongest_edges(graph, CHAIN, 3)
    assert [(e.to, e.source, e.weight, e.bone) for e in found] == [
        ("b", "a", 0.5, True),
        ("c", "a", 0.35, False),
        ("b", "c", 0.3, True),
    ]
    without = strongest_edges(graph, CHAIN, 2, moving=np.array([False, True, True]))
    assert [(e.to, e.source) for e in without] == [("b", "c"), ("c", "b")]
    assert "b <- a" in edges_report({"walk": found})
    for count in (0, 7):
        with pytest.raises(ConfigError, match="expected 1 to 6"):
            strongest_edges(graph, CHAIN, count)


def test_nodes_of_a_bone_network_are_bones():
    """a - b - c - d: the bone to c is a neighbour of those to b and d, the root's node of the bone that leaves it."""
    chain = Skeleton(name="chain", joints=("a", "b", "c", "d"), parents=(-1, 0, 1, 2))
    weights = np.arange(16, dtype=float).reshape(4, 4)
    found = strongest_edges(weights, chain, 12, stream="bone")
    assert [(e.to, e.source, e.bone) for e in found[:3]] == [
        ("bone to d", "bone to c", True),
        ("bone to d", "bone to b", False),
        ("bone to d", "a", False),
    ]
    near = {(e.to, e.source) for e in found if e.bone}
    assert near == {
        *(("a", "bone to b"), ("bone to b", "a"), ("bone to b", "bone to c"), ("bone to c", "bone to b")),
        *(("bone to c", "bone to d"), ("bone to d", "bone to c")),
    }
    # a still root and a still b: the bone between them shows nothing, the one from b to c moves with c
    moving = np.array([False, False, True, True])
    seen = strongest_edges(weights, chain, 2, moving=moving, stream="bone")
    assert {e.to for e in seen} == {"bone to c", "bone to d"}
    with pytest.raises(ConfigError, match="among 2 moving bones"):
        strongest_edges(weights, chain, 3, moving=moving, stream="bone")
    assert "(a bone <- whom it hears)" in edges_report({"walk": found}, stream="bone")
    rig = Skeleton(name="rig", joints=("x", "d", "c", "b", "a"), parents=(-1, 2, 3, 4, 0))
    places = np.arange(15, dtype=float).reshape(5, 3)
    drawn, body = with_nodes(places, rig, chain, "bone")
    np.testing.assert_array_equal(drawn[body.index("bone to c")], (places[2] + places[3]) / 2)
    np.testing.assert_array_equal(drawn[:5], places)
    assert set(node_names(chain, "bone")) <= set(body.joints)
    assert with_nodes(places, rig, chain, "joint") == (places, rig)


@pytest.mark.parametrize(("kind", "stream"), [("joint", "joint"), ("bone", "bone"), ("dual", "joint")])
def test_what_is_analysed_is_what_is_named(recordings, tmp_path, kind, stream):
    made = load_weights(write_weights(tmp_path, recordings, kind, stream=kind))
    assert stream_of(made.model) == stream
    windows = load_labelled_windows(made, "cmu-8", recordings, most=1)
    graphs = actional_graphs(made.model, made.transform, windows.features)
    x = torch.from_numpy(made.transform.encode(windows.features))
    np.testing.assert_allclose(graphs, made.model.actional_graph(x, stream).detach().numpy(), atol=1e-6)


def test_windows_of_each_action(recordings, weights):
    windows = load_labelled_windows(weights, "cmu-8", recordings, most=5)
    assert windows.actions == ("running", "walking")
    assert windows.features.shape == (10, 50, 27, 3)
    clip = next(c for c in cmu_actions.load(recordings, "test").clips if c.name.startswith("walking"))
    np.testing.assert_array_equal(windows.of("walking")[0], clip.features[:50])
    np.testing.assert_array_equal(windows.of("walking")[-1], clip.features[-50:])
    with pytest.raises(ConfigError, match="did you mean 'walking'"):
        windows.of("walkin")
    with pytest.raises(ConfigError, match="no data set 'cmu8'"):
        load_labelled_windows(weights, "cmu8", recordings)
    with pytest.raises(ConfigError, match="1 or more"):
        load_labelled_windows(weights, "cmu-8", recordings, most=0)
    with pytest.raises(ConfigError, match="--data DIR"):
        load_labelled_windows(weights, "cmu-8", None)


def test_graphs_of_a_network(recordings, weights):
    windows = load_labelled_windows(weights, "cmu-8", recordings, most=4)
    graphs = actional_graphs(weights.model, weights.transform, windows.features, batch=3)
    assert graphs.shape == (8, 27, 27)
    np.testing.assert_allclose(graphs.sum(axis=-1), 1, atol=1e-5)
    alone = actional_graphs(weights.model, weights.transform, windows.features[5:6])
    np.testing.assert_allclose(alone[0], graphs[5], atol=1e-6)


def test_bodies_are_those_of_the_data(recordings):
    data = cmu_actions.load(recordings, "test")
    rows = cmu_actions.read_clip(cmu_actions.survey(recordings).test[data.clips[0].name])[::2]
    positions, skeleton = body_positions(data.clips[0].features, data.skeleton, "cmu38")
    assert skeleton.num_joints == 38
    np.testing.assert_allclose(positions, cmu_actions.positions_of(rows), atol=1e-9)
    same, own = body_positions(positions, skeleton, None)
    assert own is skeleton
    np.testing.assert_array_equal(same, positions)


def made_windows(labels):
    return LabelledWindows(
        features=np.zeros((len(labels), 2, 3, 3)),
        labels=np.array(labels),
        actions=("sit", "walk"),
        skeleton=CHAIN,
        representation="expmap",
        rig=None,
        data={"name": "made"},
    )


def test_map_tells_what_is_apart_from_what_is_not(tmp_path):
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    labels = [0] * 15 + [1] * 15
    apart = rng.normal(size=(30, 3, 3)) * 0.01
    apart[15:] += 1
    found = graph_map(apart, made_windows(labels), perplexity=5, label="net")
    assert found.silhouette > 0.95
    assert found.silhouette_map > 0.5
    assert found.points.shape == (30, 2)
    assert found.nearest == {"sit": "walk", "walk": "sit"}
    mixed = graph_map(rng.normal(size=(30, 3, 3)), made_windows(labels), perplexity=5)
    assert abs(mixed.silhouette) < 0.1
    assert "silhouette of the graphs" in map_report(found)
    assert len(found.to_json()["points"]) == 30
    assert draw_map(found, tmp_path)[0].stat().st_size > 10_000
    with pytest.raises(DataError, match="perplexity 30"):
        graph_map(apart, made_windows(labels), perplexity=30)
    with pytest.raises(DataError, match="two windows or more"):
        graph_map(apart, made_windows([0] * 30), perplexity=5)
    with pytest.raises(ConfigError, match="seed is -1"):
        graph_map(apart, made_windows(labels), perplexity=5, seed=-1)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtraError, match=r"kinegraph\[analysis\]"):
        graph_map(np.zeros((4, 3, 3)), made_windows([0, 0, 1, 1]), perplexity=2)


def test_picture_of_edges(tmp_path):
    graph = np.array([[0.9, 0.06, 0.04], [0.5, 0.2, 0.3], [0.35, 0.05, 0.6]])
    edges = {name: strongest_edges(graph, CHAIN, 3) for name in ("walk", "sit", "run", "jump", "wave")}
    pose = np.array([[0.0, 1, 0], [0.0, 0.5, 0], [0.0, 0.5, 0]])  # b and c lie on each other
    [path] = draw_actional_graphs(edges, dict.fromkeys(edges, pose), CHAIN, tmp_path, title="t")
    assert path.stat().st_size > 10_000


def test_networks_without_graphs(recordings, weights, tmp_path):
    plain = load_weights(write_weights(tmp_path, recordings, "plain", actional=False))
    windows = load_labelled_windows(plain, "cmu-8", recordings, most=1)
    with pytest.raises(ConfigError, match="without actional graphs"):
        actional_graphs(plain.model, plain.transform, windows.features)
    slower = dataclasses.replace(weights, transform=dataclasses.replace(weights.transform, fps=25.0))
    with pytest.raises(ConfigError, match="expmap at 25 fps; cmu-8 has expmap at 60"):
        load_labelled_windows(slower, "cmu-8", recordings)
