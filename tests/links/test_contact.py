"""The power law's published values, and its flat part."""

import numpy as np
import pytest

from enformer_core.errors import InputError
from enformer_core.links.contact import PUBLISHED_LAW, PowerLaw, powerlaw_contact


def test_contact_is_the_power_of_the_distance_by_hand():
    # exp(ln 6 - 2 ln(2 + 1)) = 6 / 9, exp(ln 6 - 2 ln(5 + 1)) = 6 / 36; below 2 bp as at 2 bp
    law = PowerLaw(gamma=2.0, scale=float(np.log(6)), flat_below_bp=2)
    contact = powerlaw_contact(np.array([0.0, 2.0, 5.0]), law)
    np.testing.assert_allclose(contact, [6 / 9, 6 / 9, 6 / 36])


def test_published_constants_are_those_of_the_program():
    # two distances and their contacts in the program's own output, to its six decimals
    contact = powerlaw_contact(np.array([12_166.0, 8_185.5]))
    np.testing.assert_allclose(contact, [0.025349, 0.038037], atol=5e-7)
    assert PUBLISHED_LAW.flat_below_bp == 5_000


@pytest.mark.parametrize("name", ["gamma", "scale"])
def test_a_law_that_does_not_fall_is_refused(name):
    with pytest.raises(InputError, match=f"--powerlaw-{name} 0.0: must be above 0"):
        PowerLaw(**{name: 0.0})


@pytest.mark.parametrize(
    "law",
    [
        {"scale": 1e5},
        {"gamma": 1e5},
        {"scale": 1e308, "gamma": 1e308},
        {"scale": 1e5, "gamma": 1e4},
    ],
)
def test_a_law_whose_contacts_are_no_numbers_is_refused(law):
    with pytest.raises(InputError, match=r"which no number holds\. The published law has 5\.9594"):
        PowerLaw(**law)


def test_contacts_of_every_law_that_is_taken_are_numbers():
    for law in (PowerLaw(gamma=1.0, scale=600.0), PowerLaw(gamma=26.0, scale=1.0), PUBLISHED_LAW):
        contact = powerlaw_contact(np.array([0.0, 1e9]), law)
        assert np.isfinite(contact).all()
        assert (contact > 0).all()
