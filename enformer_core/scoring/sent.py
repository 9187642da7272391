"""Arrays sent to the device that computes. A GPU is not waited for. Loads torch; does not know what arrays hold."""

from typing import Any

import numpy as np
import torch
from torch import Tensor


def sent_to(device: torch.device, array: np.ndarray[Any, Any]) -> Tensor:
    """The numbers of an array on a device; on a CPU in the array's own memory, which stays as it is meanwhile.

    Ordinary memory may be moved by the system: what is copied from it goes to a buffer of the driver's first, and may
    wait for the GPU (CUDA runtime API, "API synchronization behavior"). From pinned memory it does neither.
    """
    # torch takes neither a read-only map of a file, as a genome's codes are, nor what is read backwards
    on_host = torch.from_numpy(np.require(array, requirements=["C", "W"]))
    if device.type != "cuda":
        return on_host.to(device)
    # The pinned memory has no name behind this line, before it is read. torch gives it to nobody else until then: with
    # each such copy its allocator notes the stream, and takes memory back once that has come so far (`record_event` in
    # ATen/core/CachingHostAllocator.h).
    return on_host.pin_memory().to(device, non_blocking=True)
