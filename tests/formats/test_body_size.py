"""The unit in which a body has the size of a person."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinegraph.formats.body_size import guess_unit
from kinegraph.skeleton import Skeleton

UNITS = {
    "m": 1.0,
    "cm": 0.01,
    "mm": 0.001,
    "inch": 0.0254,
    "1/0.45 inch": 0.0254 / 0.45,
    "dm": 0.1,
    "8 cm (MikuMikuDance)": 0.08,
}
JOINTS = {
    "pelvis": ("", 0.0),
    "thorax": ("pelvis", 0.29),
    "head": ("thorax", 0.18),
    **{f"{side}_hip": ("pelvis", 0.05) for side in ("left", "right")},
    **{f"{side}_knee": (f"{side}_hip", 0.245) for side in ("left", "right")},
    **{f"{side}_ankle": (f"{side}_knee", 0.246) for side in ("left", "right")},
    **{f"{side}_shoulder": ("thorax", 0.12) for side in ("left", "right")},
    **{f"{side}_elbow": (f"{side}_shoulder", 0.186) for side in ("left", "right")},
    **{f"{side}_wrist": (f"{side}_elbow", 0.146) for side in ("left", "right")},
    **{f"{side}_finger": (f"{side}_wrist", 0.108) for side in ("left", "right")},
}


def body(height: float, *, tail: float = 0.0, named: bool = True) -> tuple[Skeleton, np.ndarray]:
    """Segments as shares of the stature (Drillis and Contini); perhaps with a tail, or names that say nothing."""
    joints = {**JOINTS, **({"tail": ("pelvis", tail)} if tail else {})}
    names = list(joints)
    parents = tuple(names.index(parent) if parent else -1 for parent, _ in joints.values())
    told = names if named else [f"bone{i}" for i in range(len(names))]
    offsets = np.array([[0.0, length * height, 0.0] for _, length in joints.values()])
    return Skeleton(name="body", joints=tuple(told), parents=parents), offsets


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("height", [1.6, 1.75, 1.85])
def test_adults_in_every_unit(unit: str, named: bool, height: float) -> None:
    if not named and "Miku" in unit:
        return  # as large a body in dm would be 2.2 m tall: only a leg tells the two apart
    skeleton, offsets = body(height, named=named)
    metres, note = guess_unit(skeleton, offsets / UNITS[unit])
    assert metres == pytest.approx(UNITS[unit])
    assert note.startswith(f"unit {unit} guessed from the body's size (")


@given(height=st.floats(0.95, 2.2), unit=st.sampled_from(["m", "cm", "mm"]))
def test_children_and_giants_in_metric_units(height: float, unit: str) -> None:
    skeleton, offsets = body(height)
    assert guess_unit(skeleton, offsets / UNITS[unit])[0] == UNITS[unit]


def test_a_tail_changes_nothing_where_the_leg_is_named() -> None:
    skeleton, offsets = body(1.7, tail=1.2)
    assert guess_unit(skeleton, offsets / UNITS["dm"])[0] == 0.1


def test_what_fits_no_unit_is_said() -> None:
    skeleton, offsets = body(1.7)
    metres, note = guess_unit(skeleton, offsets * 1e5)
    assert (metres, "fits no unit; give unit= to be sure" in note) == (0.01, True)
