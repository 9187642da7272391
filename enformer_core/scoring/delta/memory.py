"""How many alts fit beside the model: from the memory that there is, a container's limit included."""

import psutil
import torch

from enformer_core.machine import available_memory_bytes
from enformer_core.scoring.delta.delta_model import DeltaNetwork
from enformer_core.scoring.delta.tower import CHUNK_TOKENS

MOST_ALTS = 96
"""More alts than this gain nothing: the reference that they share is a small part by then."""

_CHUNK_COPIES = 6  # activations of one chunk of the tower that live at the same time
_PROFILE_COPIES = 24  # one alt's head and its statistics, which are made in float64
_SHARE = 0.8  # of what is free; the rest is for what others take meanwhile


def choose_batch(network: DeltaNetwork, tracks: int, worker_bytes: int, *, views: int) -> int:
    """Alts that are carried at once, from 1 to 96.

    Args:
        network: loaded, so that what it takes is taken already.
        tracks: how many are scored.
        worker_bytes: host memory of this worker, model included.
        views: in how many ways a window is read (strands × shifts); over several, whole profiles are summed up.
    """
    device = network.tower.device
    free = _SHARE * _available_bytes(device)
    if device.type == "cpu":
        free = min(free, worker_bytes - psutil.Process().memory_info().rss)
    number_bytes = torch.finfo(network.arithmetic.reference).bits // 8
    geometry, channels = network.geometry, _widest(network)
    chunk = _CHUNK_COPIES * CHUNK_TOKENS * geometry.bin_bp * network.tower.levels[0].kernel.shape[0]
    profile = geometry.bins * tracks
    layer = 12 * geometry.tokens * channels + _PROFILE_COPIES * profile
    each = geometry.tokens * channels + (profile if views > 1 else 0)
    return int(max(1, min(MOST_ALTS, (free / number_bytes - max(chunk, layer)) // each)))


def _available_bytes(device: torch.device) -> int:
    """Memory that can still be taken: the GPU's, or this process's on its machine."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return available_memory_bytes()


def _widest(network: DeltaNetwork) -> int:
    return network.tower.levels[-1].kernel.shape[0]
