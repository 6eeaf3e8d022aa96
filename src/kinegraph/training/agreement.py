"""What one of several processes asks for, known to all of them at the same step, and no process waits to hear it.

To read an answer at the step at which it is asked for, the CPU would have to wait for the GPU in every step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["LAG", "Agreement"]

LAG = 2
"""Steps between a question and its answer. No process runs further ahead of its GPU than this."""


class Agreement:
    """Questions of yes and no that are asked at every step; a yes of one process is a yes of all.

    Args:
        device: where the processes exchange them.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._pending: deque[tuple[Tensor, Callable[[], object]]] = deque()

    def ask(self, asked: Sequence[bool]) -> tuple[bool, ...]:
        """Ask, and take the answers to what was asked `LAG` steps ago, or as many noes where there was nothing yet.

        Every process must ask at every step.
        """
        self._pending.append(self._sent(asked))
        return self._taken() if len(self._pending) > LAG else (False,) * len(asked)

    def settle(self) -> None:
        """Wait for what is under way: a process that ended in the middle would leave the others alone with it."""
        while self._pending:
            self._taken()

    def _sent(self, asked: Sequence[bool]) -> tuple[Tensor, Callable[[], object]]:
        flags = torch.tensor(asked, dtype=torch.int32)
        if self.device.type != "cuda":
            flags = flags.to(self.device)
            work = dist.all_reduce(flags, op=dist.ReduceOp.MAX, async_op=True)
            return flags, work.wait
        flags = flags.pin_memory().to(self.device, non_blocking=True)
        dist.all_reduce(flags, op=dist.ReduceOp.MAX)  # queued behind the step; nothing waits for it here
        answer = torch.empty(flags.shape, dtype=flags.dtype, pin_memory=True)
        answer.copy_(flags, non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record()
        return answer, arrived.synchronize

    def _taken(self) -> tuple[bool, ...]:
        answer, wait = self._pending.popleft()
        wait()
        return tuple(bool(value) for value in answer.tolist())
