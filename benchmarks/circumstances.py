"""What every result of a benchmark carries: machine and its load, versions, date."""

import datetime as dt
import os
import platform
from importlib.metadata import version
from typing import Any

import torch

import enformer_core
from enformer_core.machine import hardware

CPU = torch.device("cpu")


def circumstances(*packages: str, device: torch.device = CPU) -> dict[str, Any]:
    """Describe this machine and its load, versions and date, as every result says them.

    Args:
        packages: whose versions matter, besides this program's own and torch's.
        device: where it was computed.
    """
    return {
        # of the last minute, what this benchmark did in it included
        "load_average": round(os.getloadavg()[0], 2),
        "machine": {
            **hardware(device),
            "cores": os.cpu_count(),
            # whether 16-bit products are quicker than others, on which the figures of `fast` depend
            "avx512_bf16": torch.cpu._is_avx512_bf16_supported(),
            "system": platform.platform(),
        },
        "versions": {
            "python": platform.python_version(),
            "enformer-ray": enformer_core.__version__,  # of the checkout, which need not be installed
            **{name: version(name) for name in ("torch", *packages)},
        },
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }
