"""Virtual time and virtual processes: one hub, one seed, the same course every time.

Ordinary code, written for threads that block, runs in greenlets. Whatever would block goes through the hub, which
lets virtual time leap to the next thing that happens. A process can be killed (it is never resumed, and what its
`finally` blocks still try is without effect), frozen and thawed. Knows neither storage nor shards.
"""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

START_WALL_S = 1_800_000_000.0


class HangError(AssertionError):
    """Virtual time has run beyond its bound."""


@dataclass(eq=False)
class Process:
    """Something that can be killed or frozen as one.

    Attributes:
        name: for the trace.
        leap_s: how far its machine's monotonic clock has leapt ahead.
        wall_shift_s: how far its machine's calendar is off.
        machine: where it runs, if anybody asks.
        driver: whose worker it is, if it is one.
        abandoned: nobody waits for it any more, and it does not know.
    """

    hub: "Hub"
    name: str
    alive: bool = True
    frozen: bool = False
    leap_s: float = 0.0
    wall_shift_s: float = 0.0
    machine: Any = None
    driver: "Process | None" = None
    abandoned: bool = False
    threads: "dict[Thread, None]" = field(default_factory=dict)
    held: "list[tuple[Thread, int, Any]]" = field(default_factory=list)
    on_death: list[Callable[[], None]] = field(default_factory=list)

    def spawn(self, function: Callable[[], Any]) -> "Thread":
        """Begin a thread; it runs when the hub comes to it."""
        return Thread(self, function)

    def check(self) -> None:
        """Every call from the process to the world begins with this: the dead do nothing."""
        if not self.alive:
            raise GreenletExit

    def kill(self) -> None:
        """End it at once, as SIGKILL does; a thread of it that calls this goes on to its next `check`."""
        if not self.alive:
            return
        self.alive = False
        self.hub.note(f"{self.name} dies")
        self.hub.on_loss(self)
        self.hub.bury(self)
        for action in self.on_death:
            action()

    def abandon(self) -> None:
        """Nobody waits for it from now on; what it begins then is lost when it ends."""
        self.abandoned = True
        self.hub.on_loss(self)

    def freeze(self) -> None:
        self.frozen = True
        self.hub.note(f"{self.name} is frozen")

    def thaw(self) -> None:
        if not self.frozen:
            return
        self.frozen = False
        self.hub.note(f"{self.name} wakes")
        held, self.held = self.held, []
        for thread, ticket, value in held:
            self.hub.at(
                0.0,
                lambda thread=thread, ticket=ticket, value=value: self.hub.wake(
                    thread, ticket, value
                ),
            )

    def now(self) -> float:
        """Its monotonic clock."""
        return self.hub.now_s + self.leap_s

    def sleep(self, seconds: float) -> None:
        """The calling thread pauses."""
        self.hub.sleep(seconds)


class Thread:
    """A line of execution in a process. `error` is what it ended with, unless it was killed."""

    def __init__(self, process: Process, function: Callable[[], Any]) -> None:
        self.process = process
        self.ticket = 0
        self.done = False
        self.error: BaseException | None = None
        self._function = function
        self.greenlet = greenlet(self._main, parent=process.hub.greenlet)
        process.threads[self] = None
        hub, ticket = process.hub, self.ticket
        hub.at(0.0, lambda: hub.wake(self, ticket, None))

    def _main(self, _: Any = None) -> None:
        try:
            self._function()
        except GreenletExit:
            pass
        except BaseException as error:  # noqa: BLE001 - the hub raises it
            if self.process.alive:
                self.error = error
        finally:
            self.done = True
            self.process.threads.pop(self, None)


class Hub:
    """Lets things happen in the order of virtual time.

    Attributes:
        random: the only source of chance in a world.
        now_s: virtual seconds since the beginning.
        trace: what happened, for people.
        world: whose hub it is.
        on_loss: told of every process that dies, or for which nobody waits any more, at that moment.
    """

    current: "Hub | None" = None

    def __init__(self, seed: int | str) -> None:
        self.random = random.Random(seed)
        self.now_s = 0.0
        self.trace: list[str] = []
        self.world: Any = None
        self.on_loss: Callable[[Process], None] = lambda process: None
        self.greenlet = getcurrent()
        self.running: Thread | None = None
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._graves: list[Process] = []

    @property
    def process(self) -> Process:
        """Whose code runs now."""
        assert self.running is not None, "only threads of a process have one"
        return self.running.process

    def note(self, text: str) -> None:
        self.trace.append(f"{self.now_s:9.2f} {text}")

    def at(self, delay_s: float, action: Callable[[], None]) -> None:
        """Let something happen after a while, whoever lives then."""
        heapq.heappush(self._due, (self.now_s + delay_s, next(self._numbers), action))

    def bury(self, process: Process) -> None:
        self._graves.append(process)

    def pause(self, timeout_s: float | None = None) -> Any:
        """Block the calling thread until it is woken with its ticket, or the time is over (then None)."""
        thread = self.running
        assert thread is not None, "only threads of a process can wait"
        thread.process.check()
        if timeout_s is not None:
            ticket = thread.ticket
            self.at(timeout_s, lambda: self.wake(thread, ticket, None))
        value = self.greenlet.switch()
        thread.process.check()
        if isinstance(value, BaseException):
            raise value
        return value

    def sleep(self, seconds: float) -> None:
        self.pause(max(seconds, 0.0))

    def wake(self, thread: Thread, ticket: int, value: Any) -> None:
        """Resume a thread that waits with this ticket; called by the hub only."""
        if thread.ticket != ticket or thread.done or not thread.process.alive:
            return
        if thread.process.frozen:
            thread.process.held.append((thread, ticket, value))
            return
        thread.ticket += 1
        before, self.running = self.running, thread
        thread.greenlet.switch(value)
        self.running = before
        if thread.error is not None:
            raise thread.error
        self._reap()

    def interrupt(self, thread: Thread, error: BaseException) -> None:
        """Let a thread that waits raise an exception there, as a signal's default handler does."""
        self.wake(thread, thread.ticket, error)

    def run(self, until: Callable[[], bool], limit_s: float) -> None:
        """Let time pass until something is so.

        Raises:
            HangError: when that takes longer than `limit_s` of virtual time, or nothing can happen any more.
        """
        while not until():
            if not self._due or self._due[0][0] > limit_s:
                raise HangError(
                    f"it does not end: {self.now_s:.0f} s have passed, {len(self._due)} things are due"
                )
            self.now_s, _, action = heapq.heappop(self._due)
            action()
            self._reap()

    def end(self, processes: Iterable[Process]) -> None:
        """Kill what is left."""
        for process in processes:
            process.on_death.clear()
            process.kill()
        self._reap()

    def _reap(self) -> None:
        """Unwind the threads of the dead; nothing they do reaches the world any more."""
        while self._graves and getcurrent() is self.greenlet:
            process = self._graves.pop()
            for thread in list(process.threads):
                before, self.running = self.running, thread
                if thread.greenlet:  # it has begun
                    thread.greenlet.throw(GreenletExit)
                thread.done = True
                process.threads.pop(thread, None)
                self.running = before


class Signal:
    """Threads wait until it is given."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._waiting: list[tuple[Thread, int]] = []

    def wait(self, timeout_s: float | None = None) -> None:
        thread = self._hub.running
        assert thread is not None
        self._waiting.append((thread, thread.ticket))
        self._hub.pause(timeout_s)

    def give(self) -> None:
        waiting, self._waiting = self._waiting, []
        for thread, ticket in waiting:
            self._hub.at(
                0.0, lambda thread=thread, ticket=ticket: self._hub.wake(thread, ticket, None)
            )


class VirtualFuture:
    """What a virtual thread will return; stands in for `concurrent.futures.Future`."""

    def __init__(self) -> None:
        assert Hub.current is not None
        self._signal = Signal(Hub.current)
        self._done = self._cancelled = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Any], None]] = []

    def set_result(self, value: Any) -> None:
        self._settle(value, None)

    def set_exception(self, error: BaseException) -> None:
        self._settle(None, error)

    def _settle(self, value: Any, error: BaseException | None) -> None:
        self._done, self._value, self._error = True, value, error
        self._signal.give()
        for callback in self._callbacks:
            callback(self)

    def result(self, timeout: float | None = None) -> Any:
        while not self._done:
            self._signal.wait(timeout)
        if self._error is not None:
            raise self._error
        return self._value

    def exception(self) -> BaseException | None:
        while not self._done:
            self._signal.wait()
        return self._error

    def done(self) -> bool:
        return self._done

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if self._done:
            callback(self)
        else:
            self._callbacks.append(callback)

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> bool:
        self._cancelled = not self._done
        return self._cancelled


class VirtualThreads:
    """Stands in for `ThreadPoolExecutor`: so many virtual threads of the process that asks.

    Where no process asks, but a test that looks at the world from outside, work is done at once.
    """

    def __init__(self, max_workers: int = 4, **_: Any) -> None:
        assert Hub.current is not None
        self._hub = Hub.current
        self._process = self._hub.process if self._hub.running else None
        self._most, self._busy = max_workers, 0
        self._queue: deque[tuple[VirtualFuture, Callable[[], Any]]] = deque()
        self._idle = Signal(self._hub)

    def submit(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> VirtualFuture:
        future = VirtualFuture()
        if self._process is None:
            future.set_result(function(*arguments, **named))
            return future
        self._process.check()
        self._queue.append((future, lambda: function(*arguments, **named)))
        if self._busy < self._most:
            self._busy += 1
            self._process.spawn(self._work)
        return future

    def map(
        self, function: Callable[..., Any], *iterables: Iterable[Any], **_: Any
    ) -> Iterator[Any]:
        futures = [self.submit(function, *arguments) for arguments in zip(*iterables, strict=False)]
        return (future.result() for future in futures)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            self._queue.clear()
        while wait and self._busy:
            self._idle.wait()

    def __enter__(self) -> "VirtualThreads":
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def _work(self) -> None:
        while self._queue:
            future, work = self._queue.popleft()
            if future.is_cancelled:
                continue
            try:
                future.set_result(work())
            except GreenletExit:
                raise
            except BaseException as error:  # noqa: BLE001 - for whoever asks for the result
                future.set_exception(error)
        self._busy -= 1
        self._idle.give()


class VirtualCondition:
    """Stands in for `threading.Condition`: virtual threads only change places where they wait."""

    def __init__(self) -> None:
        assert Hub.current is not None
        self._signal = Signal(Hub.current)

    def __enter__(self) -> "VirtualCondition":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        while not predicate():
            self._signal.wait(timeout)
            if timeout is not None:
                break
        return predicate()

    def notify_all(self) -> None:
        self._signal.give()
