"""A crash before and after every single call to the store: the next command finishes the run all the same."""

from functools import cache

import pytest

from tests.simulation.drivers import World
from tests.simulation.fate import kill_everybody
from tests.simulation.seeds import run_world
from tests.simulation.store import Request

WORKERS = 2


def new_world() -> World:
    world = World("every call", machines=1, place_s=2.0)
    world.add_user()
    return world


@cache
def calls() -> list[tuple[str, str, str]]:
    """Every request of the first command of an undisturbed world: kind, key, and what made it."""
    world, found = new_world(), []

    def note(request: Request, moment: str) -> None:
        if moment == "asked" and not world.calm and request.process.name != "reader":
            found.append(
                (
                    request.kind,
                    request.key,
                    "driver" if request.process.name.startswith("dr") else "other",
                )
            )

    world.service.hooks.append(note)
    assert run_world(world) == []
    return found


def crash(at: int, moment: str, *, driver_too: bool) -> World:
    """The `at`th request is the last thing that its process does; `moment` is before or after it takes effect."""
    world = new_world()
    asked: list[Request] = []
    struck = []

    def strike(request: Request, now: str) -> None:
        if request.process.name == "reader" or world.calm:
            return
        if now == "asked":
            asked.append(request)
        if len(asked) > at and request is asked[at] and now == moment:
            struck.append(request)
            if driver_too:
                kill_everybody(world)
            request.process.kill()

    world.service.hooks.append(strike)
    assert run_world(world) == [], (at, moment, driver_too)
    assert len(struck) == 1, f"call {at} was not made"
    return world


def test_there_are_many_calls():
    kinds = {kind for kind, _, _ in calls()}
    assert kinds == {"put", "get", "list"}
    assert len(calls()) > 40


# After one request is nearly before the next: `make test` has one of both for each who may die.
EVERYBODY, WHO_ASKED = True, False
WHO = ["everybody", "who asked"]
FULL = pytest.mark.full


@pytest.mark.parametrize("driver_too", [EVERYBODY, pytest.param(WHO_ASKED, marks=FULL)], ids=WHO)
def test_a_crash_before_every_call(driver_too):
    for at in range(len(calls())):
        crash(at, "asked", driver_too=driver_too)


@pytest.mark.parametrize("driver_too", [pytest.param(EVERYBODY, marks=FULL), WHO_ASKED], ids=WHO)
def test_a_crash_after_every_call(driver_too):
    for at, (kind, _, _) in enumerate(calls()):
        crash(at, "applied" if kind == "put" else "answered", driver_too=driver_too)
