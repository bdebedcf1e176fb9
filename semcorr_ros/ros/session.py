"""What a configured node holds: configure makes it, cleanup drops it, and its memory with it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from semcorr_ros.ros.class_bank import MEGABYTE, ClassBank
from semcorr_ros.ros.demonstrations import Demonstrations
from semcorr_ros.ros.parameters import Parameters
from semcorr_ros.ros.perception import Perception
from semcorr_ros.ros.refusal import Code, Refusal
from semcorr_ros.ros.transfer import Transfer
from semcorr_ros.ros.worker import KeepGoing, Worker

OUT_OF_MEMORY = (torch.cuda.OutOfMemoryError, MemoryError)
Result = TypeVar("Result")


class Session:
    """Backbone, classes and the inference thread that uses them."""

    def __init__(
        self,
        settings: Parameters,
        on_frame: Callable[[Any, KeepGoing], None],
        warn: Callable[[str], object],
    ):
        """Loads backbone and classes: takes seconds. Raises ValueError, OSError, ImportError, Refusal."""
        self.perception = Perception(settings)
        budget = int(settings.memory_budget_mb * MEGABYTE)
        self.bank = ClassBank(self.perception.device, self.perception.backbone, budget, settings.class_folder)
        for path in settings.classes:
            self.bank.load(path)
        self.bank.activate(set(settings.active_classes))
        self.demonstrations = Demonstrations(settings.demonstration_folder, settings.max_demonstrations, warn)
        self.transfer = Transfer(self.bank, self.perception, self.demonstrations)
        self.worker = Worker(on_frame, settings.queue_size, on_end=release_memory)

    def close(self, timeout: float) -> bool:
        """Stop the inference thread; False if it still runs after `timeout` seconds.

        It then ends by itself after its current step, and only then is the memory free.
        """
        return self.worker.close(timeout)

    def spare(self, work: Callable[[], Result]) -> Result:
        """`work`; where the device is full, once more with everything idle evicted. For the worker.

        Raises Refusal OUT_OF_MEMORY.
        """
        try:
            return work()
        except OUT_OF_MEMORY:
            pass  # outside of the handler, the tensors of the failed attempt are no longer referred to
        self.bank.evict_idle()
        self.demonstrations.forget()
        self.perception.forget()
        release_memory()
        try:
            return work()
        except OUT_OF_MEMORY as error:
            raise Refusal(
                Code.OUT_OF_MEMORY,
                f"the device is full, although every idle class was evicted: {str(error).splitlines()[0]}",
            ) from None


def release_memory() -> None:
    """Give back what nobody refers to any more, on the GPU as well."""
    gc.collect()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
