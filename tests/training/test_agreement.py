"""What one process asks for is known to all, two steps later, in every step."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from kinegraph.training.agreement import LAG, Agreement


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def alone() -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{free_port()}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("alone")
def test_answers_come_later_and_in_order() -> None:
    agreement = Agreement(torch.device("cpu"))
    asked = [(False, True), (True, False), (False, False), (True, True), (False, False)]
    answers = [agreement.ask(pair) for pair in asked]
    assert answers == [(False, False)] * LAG + asked[:-LAG]
    agreement.settle()
    assert agreement.ask((True, True)) == (False, False)  # nothing is under way any more
    agreement.settle()


def _rank(rank: int, port: int, found: object) -> None:
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    agreement = Agreement(torch.device("cpu"))
    # each asks once, at another step
    found[rank] = [agreement.ask((step == 1 + 2 * rank,))[0] for step in range(7)]  # type: ignore[index]
    agreement.settle()
    dist.destroy_process_group()


def test_a_yes_of_one_is_a_yes_of_all_at_the_same_step() -> None:
    with mp.Manager() as manager:
        found = manager.dict()
        mp.spawn(_rank, args=(free_port(), found), nprocs=2)
        expected = [step in (1 + LAG, 3 + LAG) for step in range(7)]
        assert [found[0], found[1]] == [expected, expected]
