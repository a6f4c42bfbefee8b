"""Runs a module by its steps, so that a checkpoint can stand between two of them.

What a module observes is what it would observe if it ran whole: one namespace, the same `__future__` flags,
docstring, `__annotations__`, line numbers and tracebacks.
"""

from __future__ import annotations

from builtins import eval

from refork.program.bridges import Bridge
from refork.program.frames import hidden
from refork.program.steps import ENTER, REST, TRY, Steps, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from refork.program.steps import Place


class Running:
    """A module in progress, run by steps."""

    __slots__ = (
        "_bridges", "_code", "_opening", "_truth", "done", "edited", "index", "inside", "namespace",
        "steps",
    )  # fmt: skip

    def __init__(self, steps: Steps, namespace: dict[str, Any]) -> None:
        self.steps = steps
        self.namespace = namespace
        self.done = -1
        """The last step that has ended."""
        self.index = 0
        """The step that comes next, or is being executed."""
        self.inside = False
        """Whether the step at `index` is being executed now."""
        self.edited: bytes | None = None
        """A new text, put here by a resume; its steps take over after the present one."""
        self._truth: object = None
        """What the last test came to."""
        self._code: Any = None
        """What is to be executed for the step at `index`."""
        self._opening: Bridge | None = None
        """That of a statement whose body comes next, if the step at `index` ends well."""
        self._bridges: list[Bridge] = []
        """Those of the statements whose bodies are being run, outermost first."""

    def needs(self) -> int:
        """How many leading steps a new text must share with this one."""
        return (self.index if self.inside else self.done) + 1

    def take_edit(self) -> None:
        if self.edited is not None:
            self.steps = Steps(self.edited, self.steps.path, self.steps)
            self.edited = None

    def goes_on(self) -> bool:
        """Whether there is a step to come; it is then the one at `index`."""
        self.index = self.steps.following(self.done, self._truth)
        return self.index < len(self.steps)

    def begin(self) -> None:
        """Begin with the step at `index`."""
        self.inside = True
        kind = self.steps.all[self.index].kind
        bridge = None
        if kind in (TRY, ENTER):
            bridge = self._opening = Bridge(self.index)
        elif kind == REST:
            bridge = self._bridges.pop()
        self._code = self.steps.code(self.index, bridge)

    def waits(self) -> bool:
        """Whether a step has been begun, and not been executed."""
        return self.inside

    def code(self) -> Any:
        """What is to be executed now; None: nothing. Nobody else holds it then: a graft counts who does."""
        code, self._code = self._code, None
        return code

    def over(self, truth: object) -> None:
        """The step at `index` has ended."""
        self._truth = truth
        self.done = self.index
        self.inside = False
        if self._opening is not None:
            self._bridges.append(self._opening)
            self._opening = None
        self.take_edit()

    def within(self) -> bool:
        """Whether the body of a `try` or `with` is being run."""
        return bool(self._bridges)

    def fail(self, error: BaseException) -> bool:
        """A step raised: the rest of the statement around it comes next. False: there is none around."""
        self._opening = None
        if not self._bridges:
            return False
        self.take_edit()
        bridge = self._bridges.pop()
        place, below = self._origin(error.__traceback__)
        bridge.error = error.with_traceback(below)
        self.index = self.steps.rest(bridge.header)
        self.inside = True
        self._code = self.steps.code(self.index, bridge, place)
        return True

    def _origin(self, trace: TracebackType | None) -> tuple[Place, TracebackType | None]:
        """The place in this module that raised, and the traceback below it."""
        if trace is None or trace.tb_frame.f_globals is not self.namespace:
            return place_of(self.steps.all[self.index].node), trace
        code = trace.tb_frame.f_code
        for at, place in enumerate(code.co_positions()):  # type: ignore[attr-defined]
            if at == trace.tb_lasti // 2 and place[0] is not None:
                return place, trace.tb_next
        return (trace.tb_lineno, None, None, None), trace.tb_next


@hidden
def run(running: Running, before: Callable[[Running], None]) -> None:
    """Execute all steps; `before` is called between two of them, where a checkpoint may be taken."""
    if running.steps.annotated:
        running.namespace.setdefault("__annotations__", {})
    going = True
    while going:
        going = (_attempt if running.within() else _advance)(running, before)


@hidden
def _advance(running: Running, before: Callable[[Running], None]) -> bool:
    """Execute one step; False: there is none left."""
    if not running.waits():
        if not running.goes_on():
            return False
        before(running)
        running.take_edit()
        if not running.goes_on():
            return False
        running.begin()
    code = running.code()
    truth = None if code is None else eval(code, running.namespace)
    del code
    running.over(truth)
    return True


@hidden
def _attempt(running: Running, before: Callable[[Running], None]) -> bool:
    """The same; what is raised is left to the statement around, from the next step on."""
    try:
        return _advance(running, before)
    except BaseException as error:
        if not running.fail(error):
            raise
        return True
