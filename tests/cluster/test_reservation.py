"""What workers take of machines, counted by hand."""

import pytest

from cluster.pool import PoolError
from cluster.reservation import Reservation, describe

MACHINE = {"CPU": 8.0, "GPU": 1.0, "memory": 32.0 * 2**30, "node:10.0.0.1": 1.0}


@pytest.mark.parametrize(
    ("each", "holds"),
    [
        (Reservation(1), 8),
        (Reservation(3), 2),
        (Reservation(1, gpus=0.1), 8),  # the CPUs end first
        (Reservation(0.5, gpus=0.1), 10),  # though 1 / 0.1 may be less than 10
        (Reservation(1, gpus=1), 1),
        (Reservation(1, memory_bytes=12 * 2**30), 2),
        (Reservation(1, gpus=2), 0),
    ],
)
def test_so_many_workers_fit(each: Reservation, holds: int):
    assert each.fits(MACHINE) == holds


def test_what_a_machine_does_not_name_it_does_not_have():
    assert Reservation(1, gpus=1).fits({"CPU": 64.0}) == 0


def test_workers_that_take_nothing_are_refused():
    with pytest.raises(PoolError, match="no CPU and no GPU"):
        Reservation(0, memory_bytes=2**30)


def test_a_single_machine_gets_as_many_as_are_wanted_or_fit_and_is_told_of_fewer():
    each = Reservation(2, memory_bytes=2**30)
    assert each.fit_on_machine(3, MACHINE) == (3, [])
    assert each.fit_on_machine(None, MACHINE) == (4, [])
    workers, (notice,) = each.fit_on_machine(6, MACHINE)
    assert workers == 4
    assert notice.text == (
        "6 workers are asked for and 4 fit: each takes 2 CPU, 0 GPU, 1.0 GiB memory, "
        "and this machine has 8 CPU, 1 GPU, 32.0 GiB memory"
    )


def test_a_machine_that_holds_none_is_refused_with_both_amounts():
    with pytest.raises(PoolError, match=r"asks for 9 CPU, 0 GPU.*finds 8 CPU.*Ask for less"):
        Reservation(9).fit_on_machine(None, MACHINE)


def test_resources_are_told_by_what_counts():
    assert describe({"CPU": 0.5, "memory": 3 * 2**29, "accelerator": 1}) == (
        "0.5 CPU, 0 GPU, 1.5 GiB memory"
    )
