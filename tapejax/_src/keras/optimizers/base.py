"""`Optimizer`, the base class of optimizers.

It keeps the slots, checks its arguments and records a step as one op over all variables (see `step.py`). A slot is a
variable that an optimizer keeps for each trained variable, such as its momentum.
"""

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tapejax._src.autodiff.explain.diagnose import why_missing
from tapejax._src.autodiff.indexed_slices import IndexedSlices
from tapejax._src.autodiff.tape import GradientTape
from tapejax._src.core import convert
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.keras import backend, keras2
from tapejax._src.keras.backend import Weight
from tapejax._src.keras.optimizers.schedules import LearningRateSchedule
from tapejax._src.keras.optimizers.step import step_op
from tapejax._src.keras.recording import Op, float32_input, float64_input, record, static

__all__ = ["Optimizer"]

_DECAYED = Op("decayed_rate", lambda rate, step, decay: rate / (1 + decay.astype(rate.dtype) * step.astype(rate.dtype)))


class Optimizer:
    """Base class of optimizers.

    Args:
      learning_rate: a number, a `LearningRateSchedule`, or a function without arguments.
      weight_decay: if given, each step subtracts ``weight_decay * learning_rate * variable`` from each variable.
      clipnorm: if given, the largest norm that a single gradient may have. Larger gradients are scaled down to it.
      clipvalue: if given, elements of gradients are clipped to [-clipvalue, clipvalue].
      global_clipnorm: if given, the largest norm that all gradients together may have.
      name: by default a new unique name made from the name of the class.
      **kwargs: Keras 2's `lr`, which is now called `learning_rate`, and `decay`. With `decay` the learning rate is
        divided by ``1 + decay * iterations``; Keras 3 ignores this argument with a warning.

    Raises:
      ValueError: there is another keyword argument, or more than one of the three clipping arguments is given.

    Source: https://keras.io/api/optimizers/

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> optimizer = tf.keras.optimizers.SGD(learning_rate=0.5)
    >>> int(optimizer.apply_gradients([(tf.constant(1.0), v)])), float(v)
    (1, 0.5)
    """

    _slot_names: tuple[str, ...] = ()
    # In `variables` Keras lists this many slots variable by variable. Of each further slot it then lists all variables.
    _together = 2
    _slot_starts: dict[str, float]  # by slot name: its initial value, if not 0
    _numbers: tuple[str, ...] = ()  # the attributes that are arguments of the formula
    _why: tuple[tuple[int, ...], str] = ((), "")  # the variables that had no gradient last, and the reasons
    _advance: Callable  # the formula; see `step.by_formula`

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        learning_rate = keras2.take("Optimizer", kwargs, "lr", learning_rate)
        self._decay = float(keras2.take("Optimizer", kwargs, "decay") or 0.0)
        if kwargs:
            raise ValueError(f"Argument(s) not recognized: {kwargs}")
        if sum(a is not None for a in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received: "
                f"clipnorm={clipnorm}, clipvalue={clipvalue}, global_clipnorm={global_clipnorm}"
            )
        self.name = name or backend.auto_name(type(self).__name__)
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.built = False
        self._iterations = self._add("iteration", np.zeros((), np.int64))
        self._learning_rate: Any = learning_rate if callable(learning_rate) else None
        self._rate_variable: Weight | None = None
        if not callable(learning_rate):
            if not isinstance(learning_rate, (int, float, np.floating)):
                raise ValueError(
                    "Argument `learning_rate` should be float, or an instance of LearningRateSchedule, "
                    "or a callable (that takes in the current iteration value and returns the "
                    f"corresponding learning rate value). Received instead: learning_rate={learning_rate}"
                )
            self._rate_variable = self._add("learning_rate", np.array(learning_rate, np.float32))
        self._index: dict[int, int] = {}
        self._trained: list[Any] = []
        self._slots: list[list[Weight]] = []  # indexed by slot name, then by variable
        self._slot_starts = {}
        self._excluded: tuple[set[int], re.Pattern | None] = (set(), None)
        self._decaying: list[bool] = []  # for each variable, whether it has weight decay
        self._op = step_op(type(self).__name__)

    def _add(self, name: str, value: np.ndarray) -> Weight:
        return Weight(from_value(value), False, name, f"{self.name}/{name}")

    @property
    def iterations(self) -> Weight:
        """The number of steps done, an int64 variable."""
        return self._iterations

    @property
    def learning_rate(self) -> Any:
        """The learning rate: a variable, or the current value of the schedule or function. It can be set."""
        if self._rate_variable is not None:
            return self._rate_variable
        schedule = self._learning_rate
        return schedule(self._iterations) if isinstance(schedule, LearningRateSchedule) else schedule()

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(value) and not isinstance(value, (Weight, Tensor)):
            self._learning_rate, self._rate_variable = value, None
        elif self._rate_variable is None:
            raise TypeError(
                "This optimizer was created with a `LearningRateSchedule` object as its `learning_rate` "
                "constructor argument, hence its learning rate is not settable. If you need the learning "
                "rate to be settable, you should instantiate the optimizer with a float `learning_rate` "
                "argument."
            )
        else:
            self._rate_variable.assign(value)

    lr = learning_rate

    @property
    def variables(self) -> list[Weight]:
        """The step counter, the learning rate if it is a variable, and the slots, in Keras's order."""
        rate = [] if self._rate_variable is None else [self._rate_variable]
        first = zip(*self._slots[: self._together], strict=True)
        return [
            self._iterations,
            *rate,
            *(s for of_one in first for s in of_one),
            *(s for of_name in self._slots[self._together :] for s in of_name),
        ]

    def build(self, variables: Iterable[Any]) -> None:
        """Makes the slots of these variables. From then on the optimizer accepts no other variables."""
        if self.built:
            return
        if getattr(self, "epsilon", 0) is None:
            keras2.hint("epsilon=None", "leave it out")
            self.epsilon = backend.epsilon()
        self._trained = list(variables)
        self._index = {id(v): i for i, v in enumerate(self._trained)}
        self._slots = self._make_slots()
        self.built = True

    def _make_slots(self) -> list[list[Weight]]:
        # Keras rounds the initial values to float32, whatever the dtype of the variable.
        starts = [np.float32(self._slot_starts.get(name, 0)) for name in self._slot_names]
        return [
            [
                self._add(f"{_label(v)}_{name}", np.full(v.shape.as_list(), start, v.dtype.as_numpy_dtype))
                for v in self._trained
            ]
            for name, start in zip(self._slot_names, starts, strict=True)
        ]

    @property
    def weights(self) -> list[Weight]:
        """The step counter and the slots, in Keras 2's order. Unlike `variables` it has no learning rate."""
        keras2.hint("optimizer.weights", keras2.MEMBERS["Optimizer"]["weights"])
        return [self._iterations, *(s for of_name in self._slots for s in of_name)]

    def get_weights(self) -> list[np.ndarray]:
        """The values of `weights` as NumPy arrays, as in Keras 2."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Assigns new values to `weights`, such as those that `get_weights` returned.

        Raises:
          ValueError: the number of arrays or one of their shapes does not fit.
        """
        own = self.weights
        if len(weights) != len(own):
            raise ValueError(
                f"You called `set_weights(weights)` on optimizer '{self.name}' with a weight list of "
                f"length {len(weights)}, but the optimizer was expecting {len(own)} weights."
            )
        for variable, value in zip(own, weights, strict=True):
            variable.assign(value)

    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Any, Any]],
        name: str | None = None,
        experimental_aggregate_gradients: bool | None = None,
        skip_gradients_aggregation: bool | None = None,
    ) -> Weight:
        """Does one step.

        Args:
          grads_and_vars: pairs of a gradient and its variable. A gradient is a tensor, a `tf.IndexedSlices` or None.
            The first call makes the slots; later calls accept only the variables of the first.
          name: has no effect.
          experimental_aggregate_gradients, skip_gradients_aggregation: Keras 2's. They have no effect, because on one
            device there are no gradients of other devices to add.

        Returns:
          The variable `iterations`.

        Raises:
          ValueError: there are no pairs, all gradients are None, a variable is unknown or given twice, or the shape of
            a gradient is not that of its variable.
        """
        for old, given in (
            ("experimental_aggregate_gradients", experimental_aggregate_gradients),
            ("skip_gradients_aggregation", skip_gradients_aggregation),
        ):
            if given is not None:
                keras2.hint(f"{old}=", keras2.KEYWORDS["apply_gradients"][old])
        grads, variables = zip(*grads_and_vars, strict=True)
        self.apply(grads, variables)
        return self._iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Does one step.

        Args:
          grads: gradients; see `apply_gradients`.
          trainable_variables: the variables, in the order of the gradients. By default those that the optimizer was
            built for.

        Raises:
          ValueError: see `apply_gradients`.
        """
        if trainable_variables is None:
            if not self.built:
                raise ValueError(
                    "When passing `grads` without `variables`, the optimizer must already be built on a "
                    "list of variables. Call `optimizer.build(trainable_variables)` first."
                )
            trainable_variables = self._trained
            if len(grads) != len(trainable_variables):
                raise ValueError(
                    f"Received a list of {len(grads)} gradients, but the optimizer is tracking "
                    f"{len(trainable_variables)} trainable variables."
                )
        if not len(grads):
            return
        if not self.built:
            self.build(trainable_variables)
        try:
            places = [self._index[id(v)] for v in trainable_variables]
        except KeyError:
            unknown = next(v for v in trainable_variables if id(v) not in self._index)
            raise ValueError(
                f"Unknown variable: {unknown}. This optimizer can only be called for the variables it "
                "was originally built with. When working with a new set of variables, you should "
                "recreate a new optimizer instance."
            ) from None
        if len(set(places)) < len(places):
            raise ValueError(
                "Expected each variable once. Received: a variable twice. Add its gradients to each other."
            )
        if any(g is None for g in grads):
            grads, places = self._without_none(grads, places)
        self._run([g if type(g) in (Tensor, IndexedSlices) else convert.to_tensor(g) for g in grads], places)

    def _without_none(self, grads: Sequence[Any], places: list[int]) -> tuple[list, list[int]]:
        kept = [(g, i) for g, i in zip(grads, places, strict=True) if g is not None]
        if not kept:
            raise ValueError("No gradients provided for any variable.")
        without = tuple(i for g, i in zip(grads, places, strict=True) if g is None)
        if without != self._why[0]:  # finding the reasons means searching all that the tape recorded
            self._why = (without, why_missing([self._trained[i] for i in without]))
        absent = [getattr(self._trained[i], "path", self._trained[i].name) for i in without]
        warnings.warn(
            f"Gradients do not exist for variables {absent} when minimizing the loss. If using "
            "`model.compile()`, did you forget to provide a `loss` argument?"
            + (f"\n{self._why[1]}" if self._why[1] else ""),
            stacklevel=4,
        )
        return [g for g, _ in kept], [i for _, i in kept]

    def _clipping(self) -> tuple[str, Any]:
        return next(
            (
                (kind, limit)
                for kind, limit in (
                    ("norm", self.clipnorm),
                    ("global", self.global_clipnorm),
                    ("value", self.clipvalue),
                )
                if limit
            ),
            ("", None),
        )

    def _run(self, grads: list[Any], places: list[int]) -> None:
        kind, limit = self._clipping()
        numbers = [float64_input(getattr(self, n)) for n in self._numbers]
        variables = [self._trained[i] for i in places]
        decay = ()
        if self.weight_decay is not None:
            decaying = self._decaying or self._find_decaying()
            decay = tuple([i for i, place in enumerate(places) if decaying[place]])
        if decay:
            numbers.append(float64_input(self.weight_decay or 0.0))
        if kind:
            numbers.append(float64_input(limit))
        slots = self._slots_of(places)
        rate = self.learning_rate
        rate = (
            float32_input(rate)
            if isinstance(rate, (int, float))
            else rate._tensor
            if rate is self._rate_variable
            else convert.to_tensor(rate)
        )
        if self._decay:
            rate = record(_DECAYED, static(), (rate, self._iterations._tensor, float64_input(self._decay)))
        sliced = tuple([i for i, g in enumerate(grads) if type(g) is IndexedSlices])
        if sliced:
            grads = [t for g in grads for t in ((g.values, g.indices) if type(g) is IndexedSlices else (g,))]
        key = static(
            advance=self._advance, count=len(places), numbers=len(numbers), clip=kind, decay=decay, sliced=sliced
        )
        new = record(
            self._op,
            key,
            (
                self._iterations._tensor,
                rate,
                *numbers,
                *grads,
                *(v._tensor for v in variables),
                *(s._tensor for s in slots),
            ),
        )
        for cell, value in zip((self._iterations, *variables, *slots), new, strict=True):
            cell._overwrite(value)
        for v in variables:
            if getattr(v, "constraint", None) is not None:
                v.assign(v.constraint(v))

    def _slots_of(self, places: list[int]) -> list[Weight]:
        return [of_name[i] for of_name in self._slots for i in places]

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Excludes variables from weight decay.

        Args:
          var_list: variables to exclude.
          var_names: regular expressions. A variable is excluded if one of them matches somewhere in its name.
        """
        self._excluded = ({id(v) for v in var_list or ()}, re.compile("|".join(var_names)) if var_names else None)
        self._decaying = []

    def _find_decaying(self) -> list[bool]:
        chosen, pattern = self._excluded
        self._decaying = [id(v) not in chosen and not (pattern and pattern.search(v.name)) for v in self._trained]
        return self._decaying

    def minimize(self, loss: Any, var_list: Any, tape: Any = None) -> Weight:
        """Computes gradients and does one step with them.

        Args:
          loss: a function without arguments that returns the loss, or the loss as a tensor.
          var_list: variables, or a function that returns them.
          tape: the `GradientTape` that recorded the loss. Needed if `loss` is a tensor.

        Returns:
          The variable `iterations`.

        Raises:
          ValueError: `loss` is a tensor and there is no tape; see also `apply_gradients`.
        """
        if callable(loss) and not isinstance(loss, Tensor):
            tape = tape or GradientTape()
            with tape:
                loss = loss()
        elif tape is None:
            raise ValueError("`tape` is required when a `Tensor` loss is passed.")
        chosen: Any = var_list() if callable(var_list) else var_list
        variables = list(chosen)
        return self.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _label(variable: Any) -> str:
    name = getattr(variable, "path", None) or variable.name
    return str(name).replace("/", "_").replace(":", "_")
