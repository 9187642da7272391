"""How much fits beside the model: from the memory that there is, a container's limit included."""

import gc
from dataclasses import dataclass
from functools import partial

import psutil
import torch

from enformer_core.machine import available_memory_bytes
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.delta.alts_together import ALTS_TOGETHER
from enformer_core.scoring.delta.delta_model import DeltaNetwork
from enformer_core.scoring.delta.reference_tokens import chunks_wanted, shared_chunk_tokens
from enformer_core.scoring.delta.tower import chunk_tokens
from enformer_core.scoring.statistics import NUMBERS_TOGETHER

MOST_ALTS = 96
"""More alts than this gain nothing: the reference that they share is a small part by then."""

MOST_ALTS_ON_GPU = 256
"""As many on a GPU, where an alt costs less beside its reference."""

_CHUNK_COPIES = 6  # activations of one chunk of the tower that live at the same time
_CHUNK_COPIES_ON_GPU = 8  # and there the parts that its numbers are taken into, as much again
_STEP_COPIES = 8  # activations of all tokens that an alt of a step on a GPU holds, products by distance among them
_LAYER_COPIES = 12  # activations of all tokens that a layer above the tower holds at the same time
_SKIP_COPIES = 2  # of what a reference's rows hold beside the tokens
_PROFILE_COPIES = 24  # one alt's head and its statistics, which are made in float64
_WHOLE_PROFILES = (
    10  # those among them that are whole where all others are of some tracks at a time
)
_KEPT_SHARE = (
    1 / 3
)  # of what is left: an eighth of a reference's pass is saved by a chunk, less by one more alt at once
_SHARE = 0.8  # of what is free; the rest is for what others take meanwhile

_OUT_OF_MEMORY = (
    "out of memory",  # CUDA's own errors, and Triton's
    "STATUS_ALLOC_FAILED",  # cuBLAS, cuDNN and others of its kind
    "ALLOCATION_FAILED",  # cuDNN from version 9 on, of the device or the host
    "DefaultCPUAllocator",  # torch on the host reports nothing else by this name
    "can't allocate memory",
    "could not create a memory object",  # oneDNN
)


@dataclass(frozen=True)
class Allowance:
    """What a scorer may hold beside its model.

    Attributes:
        batch_alts: alts that are carried at once, from 1 to 96, on a GPU to 256.
        kept_chunks: chunks of tokens that are kept for the windows that share them; none where windows share nothing.
    """

    batch_alts: int
    kept_chunks: int


def choose_allowance(
    network: DeltaNetwork,
    tracks: int,
    worker_bytes: int,
    conventions: Conventions,
    *,
    scorers: int = 1,
) -> Allowance:
    """Share out the memory that is free.

    Args:
        network: loaded, so that what it takes is taken already.
        tracks: how many are scored.
        worker_bytes: host memory of this worker, model included.
        conventions: in how many ways a window is read, and which windows an allele needs.
        scorers: that this memory is for, each with a network of its own, all of them loaded.
    """
    number_bytes = torch.finfo(network.arithmetic.reference).bits // 8
    device = network.tower.device
    # all below are counts of numbers, not of bytes
    free = _free_bytes(device, worker_bytes) / number_bytes / scorers
    profile = network.geometry.bins * tracks
    layout = network.tower.layout
    # a trunk that reads skips copies the tokens that it writes over
    copied = layout.channels if layout.skips else 0
    rows = network.geometry.tokens * (layout.width + copied)
    spare = max(0.0, free - _working(network, profile))
    kept_chunks = _kept_chunks(network, conventions, spare)
    spare -= kept_chunks * _chunk(network)
    each = rows_of_alt(conventions) * rows + profiles_of_alt(conventions) * profile
    most = MOST_ALTS if device.type == "cpu" else MOST_ALTS_ON_GPU
    batch_alts = max(1, min(most, spare // each))
    return Allowance(int(batch_alts), kept_chunks)


def rows_of_alt(conventions: Conventions) -> int:
    """Differences of tokens that an alt may hold at once: two where it is compared by two windows."""
    return 2 if conventions.indel_rule in ("stitched", "compensated") else 1


def profiles_of_alt(conventions: Conventions) -> int:
    """Profiles that an alt may hold until it is complete.

    A window moved for a deletion has a prediction of its own. The difference waits for the other views, and where it is
    stitched for its other part. Of two pairings each has a difference of its own.
    """
    moves_reference = conventions.indel_rule != "left-fixed"
    is_averaged = conventions.strands == "both" or len(conventions.averaged_shifts) > 1
    waits = is_averaged or conventions.indel_rule == "stitched"
    return int(moves_reference) + int(waits) * len(conventions.window_rules)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory has run out, on a GPU or on the host; libraries say it in words of their own."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(words in str(error) for words in _OUT_OF_MEMORY)


def give_back_memory() -> None:
    """Let go of what a pass has left for which memory did not suffice."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _working(network: DeltaNetwork, profile: int) -> int:
    """Numbers that live while a step is computed, however many alts there are."""
    device = network.tower.device
    on_cpu = device.type == "cpu"
    copies = _CHUNK_COPIES if on_cpu else _CHUNK_COPIES_ON_GPU
    chunk = copies * chunk_tokens(device) * _widest_level(network)
    geometry = network.geometry
    layout = network.tower.layout
    activations = geometry.tokens * layout.channels
    # a layer's weights of attention have a column for each token, and a token's bins have its channels each
    widest = max(layout.channels * geometry.bins_per_token, geometry.tokens)
    layer = _LAYER_COPIES * geometry.tokens * widest
    # few numbers are held as often as that, of more only some tracks at a time
    at_once = min(profile, NUMBERS_TOGETHER)
    layer += _PROFILE_COPIES * at_once + _WHOLE_PROFILES * (profile - at_once)
    if not on_cpu:
        layer += _STEP_COPIES * ALTS_TOGETHER * activations
    # the reference's own, while its parts are joined to one
    skips = _SKIP_COPIES * geometry.tokens * (layout.width - layout.channels)
    # the tower and the layers above it work one after the other, in the same memory
    return max(chunk, layer) + skips


def _widest_level(network: DeltaNetwork) -> int:
    """Numbers for each token in the level of the tower that has the most."""
    widest = 0
    positions = network.tower.token_bp
    for level in network.tower.levels:
        outputs, inputs, _ = level.convolution.kernel.shape
        widest = max(widest, positions * max(outputs, inputs))
        positions //= level.pool
    return widest


def _kept_chunks(network: DeltaNetwork, conventions: Conventions, spare: float) -> int:
    """As many as are wanted, if they take no more than their share; but those of one window in any case.

    With fewer, every batch would run the whole tower again.
    """
    # windows without an offset share no tokens
    if not conventions.max_offset_bp:
        return 0
    wanted_for = partial(
        chunks_wanted,
        network.tower.device,
        tokens=network.geometry.tokens,
        views=conventions.views,
    )
    fit = int(_KEPT_SHARE * spare) // _chunk(network)
    return max(wanted_for(gains=0), min(wanted_for(), fit))


def _chunk(network: DeltaNetwork) -> int:
    """Numbers of a chunk that is kept, and of a window's end beside it."""
    tower = network.tower
    tokens = shared_chunk_tokens(tower.device) + tower.halo_tokens
    return tokens * tower.layout.width


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
