"""What a configured node holds: configure makes it, cleanup drops it, and its memory with it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import torch

from semcorr_ros.ros.class_bank import ClassBank
from semcorr_ros.ros.demonstrations import Demonstrations
from semcorr_ros.ros.parameters import Parameters
from semcorr_ros.ros.perception import Perception
from semcorr_ros.ros.transfer import Transfer
from semcorr_ros.ros.worker import KeepGoing, Worker


class Session:
    """Backbone, classes and the inference thread that uses them."""

    def __init__(
        self,
        settings: Parameters,
        on_frame: Callable[[Any, KeepGoing], None],
        warn: Callable[[str], None],
    ):
        """Loads backbone and classes: takes seconds. Raises ValueError, OSError, ImportError, Refusal."""
        self.perception = Perception(settings)
        self.bank = ClassBank(self.perception.device, self.perception.backbone)
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


def release_memory() -> None:
    """Give back what nobody refers to any more, on the GPU as well."""
    gc.collect()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
