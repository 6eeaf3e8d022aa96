"""Part tables, part-scale convolution and the exchange between scales, against loops and by hand."""

from __future__ import annotations

import numpy as np
import torch

from kinegraph.layers.part_scale import PartExchange, PartGraphConv, part_block, part_table
from kinegraph.skeleton import PARTS, Skeleton, get_skeleton

BODY = Skeleton(
    name="body",
    joints=("hip", "chest", "head", "arm", "hand", "ring"),
    parents=(-1, 0, 1, 1, 3, 4),
    parts={"torso": ("chest",), "head": ("head",), "left_upper_arm": ("arm",)},
)
BATCH, FRAMES = 2, 4


def members(skeleton: Skeleton) -> dict[str, set[str]]:
    table = part_table(skeleton)
    return {
        name: {skeleton.joints[i] for i in np.flatnonzero(row)}
        for name, row in zip(table.names, table.members, strict=True)
    }


def test_joints_without_a_part_go_with_their_nearest_ancestor_or_neighbour() -> None:
    # hand and ring hang on the arm; above the root hip there is nobody, so it goes with its neighbour, the chest
    assert members(BODY) == {
        "torso": {"chest", "hip"},
        "head": {"head"},
        "left_upper_arm": {"arm", "hand", "ring"},
    }


def test_a_skeleton_without_a_table_falls_apart_at_its_forks() -> None:
    plain = Skeleton(name="plain", joints=BODY.joints, parents=BODY.parents)
    assert members(plain) == {"hip": {"hip", "chest"}, "head": {"head"}, "arm": {"arm", "hand", "ring"}}
    assert part_table(plain).adjacency.tolist() == [[1, 1, 1], [1, 1, 0], [1, 0, 1]]
    # leaf before its parent in the order of joints
    backwards = Skeleton(name="backwards", joints=("toe", "foot", "hip"), parents=(1, 2, -1))
    assert members(backwards) == {"hip": {"toe", "foot", "hip"}}


def test_ten_parts_of_a_body_and_their_neighbours() -> None:
    table = part_table(get_skeleton("h36m17"))
    assert set(table.names) == set(PARTS)
    touching = {
        frozenset((table.names[a], table.names[b])) for a, b in zip(*np.nonzero(table.adjacency), strict=True) if a != b
    }
    limbs = {
        frozenset(pair)
        for side in ("left", "right")
        for pair in (
            ("torso", f"{side}_upper_arm"),
            (f"{side}_upper_arm", f"{side}_forearm"),
            ("torso", f"{side}_thigh"),
            (f"{side}_thigh", f"{side}_crus"),
        )
    }
    assert touching == limbs | {frozenset(("head", "torso"))}
    assert np.array_equal(np.diag(table.adjacency), np.ones(10))


def test_a_joint_of_two_parts_hears_both() -> None:
    coco = get_skeleton("coco17")  # its shoulders and hips stand for the torso as well
    table = part_table(coco)
    shoulder = table.spread[coco.index("left_shoulder")]
    found = {table.names[i]: shoulder[i] for i in np.flatnonzero(shoulder)}
    assert found == {"torso": 0.5, "left_upper_arm": 0.5}
    np.testing.assert_allclose(table.spread.sum(axis=1), 1)
    np.testing.assert_allclose(table.pool.sum(axis=1), 1)


def test_exchange_is_mean_and_copy() -> None:
    exchange = PartExchange(part_table(BODY)).double()
    x = torch.randn(BATCH, 6, FRAMES, 3, dtype=torch.float64)
    parts = exchange.to_parts(x)
    torch.testing.assert_close(parts[:, 0], (x[:, 0] + x[:, 1]) / 2)
    torch.testing.assert_close(parts[:, 1], x[:, 2])
    torch.testing.assert_close(parts[:, 2], (x[:, 3] + x[:, 4] + x[:, 5]) / 3, rtol=1e-6, atol=1e-6)
    joints = exchange.to_joints(parts)
    for joint, part in enumerate((0, 0, 1, 2, 2, 2)):
        assert torch.equal(joints[:, joint], parts[:, part])


def test_convolution_against_loops() -> None:
    table = part_table(get_skeleton("h36m17"))
    for channels, out in ((2, 5), (5, 2)):
        module = PartGraphConv(table.adjacency, channels, out).double()
        assert bool((module.edges == 1).all())
        torch.nn.init.normal_(module.edges)
        degree = table.adjacency.sum(axis=1)
        graph = table.adjacency / degree[:, None] * module.edges.detach().numpy()
        x = torch.randn(BATCH, 10, FRAMES, channels, dtype=torch.float64)
        y = module(x).detach().numpy()
        for b in range(BATCH):
            for t in range(FRAMES):
                expected = graph @ x[b, :, t].numpy() @ module.weight.detach().numpy()
                np.testing.assert_allclose(y[b, :, t], expected, rtol=1e-6, atol=1e-7)


def test_block_is_the_joint_block_with_another_graph() -> None:
    table = part_table(BODY)
    block = part_block(table, 3, 4, 6, kernel=3, stride=2, dropout=0.0).eval()
    x = torch.randn(BATCH, 3, 5, 3)
    assert block(x).shape == (BATCH, 3, 3, 6)
    assert isinstance(block.graph, PartGraphConv)
    # stillness: with the temporal kernel and the residual at zero nothing is left but the norms' biases
    torch.nn.init.zeros_(block.temporal.weight)
    torch.nn.init.zeros_(block.residual[0].weight)  # type: ignore[index,arg-type]
    assert not block(x).any()
