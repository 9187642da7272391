"""How many alts fit beside the model: from the memory that there is, a container's limit included."""

import psutil
import torch

from enformer_core.machine import available_memory_bytes
from enformer_core.scoring.delta.delta_model import DeltaNetwork
from enformer_core.scoring.delta.tower import chunk_tokens
from enformer_core.scoring.delta.transformer import ALTS_TOGETHER

MOST_ALTS = 96
"""More alts than this gain nothing: the reference that they share is a small part by then."""

MOST_ALTS_ON_GPU = 256
"""As many on a GPU, where an alt costs less beside its reference."""

_CHUNK_COPIES = 6  # activations of one chunk of the tower that live at the same time
_CHUNK_COPIES_ON_GPU = 8  # and there the parts that its numbers are taken into, as much again
_STEP_COPIES = 8  # activations of all tokens that an alt of a step on a GPU holds, products by distance among them
_LAYER_COPIES = 12  # activations of all tokens that a layer above the tower holds at the same time
_PROFILE_COPIES = 24  # one alt's head and its statistics, which are made in float64
_SHARE = 0.8  # of what is free; the rest is for what others take meanwhile


def choose_batch(
    network: DeltaNetwork,
    tracks: int,
    worker_bytes: int,
    *,
    views: int,
) -> int:
    """Alts that are carried at once, from 1 to 96, on a GPU to 256.

    Args:
        network: loaded, so that what it takes is taken already.
        tracks: how many are scored.
        worker_bytes: host memory of this worker, model included.
        views: in how many ways a window is read (strands × shifts); over several, whole profiles are summed up.
    """
    number_bytes = torch.finfo(network.arithmetic.reference).bits // 8
    free = _free_bytes(network.tower.device, worker_bytes) / number_bytes
    geometry = network.geometry
    narrowest = _channels(network, 0)
    widest = _channels(network, -1)
    # all below are counts of numbers, not of bytes
    device = network.tower.device
    on_cpu = device.type == "cpu"
    copies = _CHUNK_COPIES if on_cpu else _CHUNK_COPIES_ON_GPU
    chunk = copies * chunk_tokens(device) * geometry.bin_bp * narrowest
    profile = geometry.bins * tracks
    activations = geometry.tokens * widest
    layer = _LAYER_COPIES * activations + _PROFILE_COPIES * profile
    if not on_cpu:
        layer += _STEP_COPIES * ALTS_TOGETHER * activations
    # the tower and the layers above it work one after the other, in the same memory
    shared = max(chunk, layer)
    each = activations
    if views > 1:
        each += profile
    fitting = (free - shared) // each
    most = MOST_ALTS if on_cpu else MOST_ALTS_ON_GPU
    return int(max(1, min(most, fitting)))


def _free_bytes(device: torch.device, worker_bytes: int) -> float:
    """What an estimate may count on: a share of what is free, and on CPUs no more than this worker's part."""
    free = _SHARE * _available_bytes(device)
    if device.type != "cpu":
        return free
    in_use = psutil.Process().memory_info().rss
    # the other workers of this machine were promised their part of it too
    return float(min(free, worker_bytes - in_use))


def _available_bytes(device: torch.device) -> int:
    """Memory that can still be taken: the GPU's, or this process's on its machine."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return available_memory_bytes()


def _channels(network: DeltaNetwork, level: int) -> int:
    """Channels of a level of the tower: 0 is the one of single bases, -1 the last, which the tokens have."""
    channels: int = network.tower.levels[level].convolution.kernel.shape[0]
    return channels
