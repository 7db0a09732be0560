"""The implementations that are compared.

Each says which framework it imports, how a workload is built in it, and how compilations are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from benchmarks.workload import Program, Workload

Counter = Callable[[Program], int | None]


def _uncounted(module: Any) -> Counter:
    return lambda program: None


@dataclass(frozen=True)
class Implementation:
    """One row of the table.

    Args:
        name: The name on the command line and in the table.
        module: The framework's module. Its import is timed.
        style: The attribute of `Workload` that holds the code.
        about: One line for ``--help``.
        decorate: A function of the module that returns a decorator for the step. None if the step is not decorated.
        counter: A function of the module, called just after its import. It returns a function of the running program
            that returns the number of programs compiled so far, or None if that cannot be known.
        environment: Environment variables for the process. None removes a variable.
    """

    name: str
    module: str
    style: str
    about: str
    decorate: Callable[[Any], Callable[..., Any]] | None = None
    counter: Callable[[Any], Counter] = _uncounted
    environment: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))

    def build(self, workload: Workload, module: Any) -> Program | None:
        """Returns the workload's program in this implementation, or None if the workload is not written for it."""
        style = getattr(workload, self.style)
        if style is None:
            return None
        program = style(module)
        if self.decorate is None:
            return program
        return replace(program, step=self.decorate(module)(program.step))


def _tapejax_programs(tapejax: Any) -> Counter:
    def count(program: Program) -> int | None:
        return getattr(tapejax.explain(), "programs_compiled", None)

    return count


def _jax_programs(jax: Any) -> Counter:
    compiled = 0

    def listen(event: str, duration: float, **_: Any) -> None:
        nonlocal compiled
        compiled += event == "/jax/core/compile/backend_compile_duration"

    jax.monitoring.register_event_duration_secs_listener(listen)
    return lambda program: compiled


def _tensorflow_traces(tf: Any) -> Counter:
    return lambda program: program.step.experimental_get_tracing_count()


IMPLEMENTATIONS: tuple[Implementation, ...] = (
    Implementation(
        "tapejax",
        "tapejax",
        "tensorflow",
        "the TensorFlow code, undecorated, with `import tapejax as tf`",
        counter=_tapejax_programs,
        environment={"TAPEJAX_EAGER": None},
    ),
    Implementation(
        "tapejax-function",
        "tapejax",
        "tensorflow",
        "the same, with the step under tapejax's tf.function",
        decorate=lambda tf: tf.function,
        counter=_tapejax_programs,
        environment={"TAPEJAX_EAGER": None},
    ),
    Implementation(
        "tapejax-eager",
        "tapejax",
        "tensorflow",
        "the same with TAPEJAX_EAGER=1: each op runs at once",
        counter=_tapejax_programs,
        environment={"TAPEJAX_EAGER": "1"},
    ),
    Implementation(
        "jax-jit", "jax", "jax", "hand-written jax.jit, donating its state: the limit", counter=_jax_programs
    ),
    Implementation("tf-eager", "tensorflow", "tensorflow", "TensorFlow, undecorated"),
    Implementation(
        "tf-function",
        "tensorflow",
        "tensorflow",
        "TensorFlow, with the step under tf.function",
        decorate=lambda tf: tf.function,
        counter=_tensorflow_traces,
    ),
    Implementation(
        "tf-jit",
        "tensorflow",
        "tensorflow",
        "TensorFlow, with the step under tf.function(jit_compile=True)",
        decorate=lambda tf: tf.function(jit_compile=True),
        counter=_tensorflow_traces,
    ),
    Implementation("torch-eager", "torch", "torch", "PyTorch, eager"),
)

BY_NAME: Mapping[str, Implementation] = MappingProxyType({entry.name: entry for entry in IMPLEMENTATIONS})

# The implementations that the two columns of ratios are relative to.
LIMIT, EAGER = "jax-jit", "tf-eager"
