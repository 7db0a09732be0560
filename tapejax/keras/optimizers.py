"""`keras.optimizers`: TensorFlow's formulas as optax transformations; a step is one op over all variables."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from tapejax import convert, missing
from tapejax.autodiff.tape import GradientTape
from tapejax.engine import stream
from tapejax.engine.aval import scalar_kind
from tapejax.engine.op import Op, Static, static
from tapejax.keras import backend, schedules, transforms
from tapejax.keras.backend import Weight
from tapejax.keras.schedules import LearningRateSchedule
from tapejax.tensor import Tensor, from_value

__all__ = ["SGD", "Adam", "Optimizer", "from_optax", "get", "schedules"]

_F32, _F64 = scalar_kind(np.dtype(np.float32)), scalar_kind(np.dtype(np.float64))
_hinted = False


def _clip(grads: list, kind: str, limit: Any) -> list:
    """Keras's three ways to bound gradients."""
    if kind == "value":
        return [jnp.clip(g, -limit.astype(g.dtype), limit.astype(g.dtype)) for g in grads]
    if kind == "norm":
        norms = [jnp.sqrt(jnp.sum(jnp.square(g), dtype=g.dtype)) for g in grads]
        return [g * limit.astype(g.dtype) / jnp.maximum(n, limit.astype(g.dtype))
                for g, n in zip(grads, norms, strict=True)]
    norm = jnp.sqrt(sum(jnp.sum(jnp.square(g.astype(jnp.float32))) for g in grads))
    limit = limit.astype(jnp.float32)
    scale = limit * jnp.minimum(1 / norm, 1 / limit) + (norm - norm)  # not finite: everything becomes nan
    return [g * scale.astype(g.dtype) for g in grads]


def _step(iterations: Any, rate: Any, *rest: Any, advance: Callable, count: int, numbers: int, clip: str,
          decay: bool) -> tuple:
    """One step: gradients, variables and slots in, new variables and slots out."""
    hyper, rest = list(rest[:numbers]), rest[numbers:]
    grads, params, slots = rest[:count], rest[count: 2 * count], rest[2 * count:]
    for g, p in zip(grads, params, strict=True):
        if g.shape != p.shape:
            raise ValueError(f"A gradient of shape {g.shape} does not fit its variable of shape {p.shape}")
    grads = [g.astype(p.dtype) for g, p in zip(grads, params, strict=True)]
    if clip:
        grads = _clip(grads, clip, hyper.pop())
    if decay:
        factor = hyper.pop()
        params = [p - p * factor.astype(p.dtype) * rate.astype(p.dtype) for p in params]
    updates, slots = advance(rate, hyper, iterations, tuple(grads), tuple(params), slots)
    new = [p + u.astype(p.dtype) for p, u in zip(params, updates, strict=True)]
    return (iterations + 1, *new, *slots)


class Optimizer:
    """Base class of optimizers.

    Args:
      learning_rate: number, `LearningRateSchedule`, or function without arguments.
      weight_decay: variables lose this part, times the learning rate, at each step.
      clipnorm: bound for each gradient's norm.
      clipvalue: bound for each element.
      global_clipnorm: bound for the norm of all gradients together.
      name: by default made from the class's.
      **kwargs: `lr`, an old name of `learning_rate`.

    Raises:
      ValueError: another argument, or more than one bound.

    Source: https://keras.io/api/optimizers/

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> optimizer = SGD(learning_rate=0.5)
    >>> int(optimizer.apply_gradients([(tf.constant(1.0), v)])), float(v)
    (1, 0.5)
    """

    _slot_names: tuple[str, ...] = ()
    _numbers: tuple[str, ...] = ()
    _advance: Callable

    def __init__(self, learning_rate: Any = 0.001, weight_decay: float | None = None, clipnorm: float | None = None,
                 clipvalue: float | None = None, global_clipnorm: float | None = None, name: str | None = None,
                 **kwargs: Any):
        if "lr" in kwargs:
            learning_rate = kwargs.pop("lr")
            _hint_at_lr()
        if kwargs:
            raise ValueError(f"Argument(s) not recognized: {kwargs}")
        if sum(a is not None for a in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError("Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received: "
                             f"clipnorm={clipnorm}, clipvalue={clipvalue}, global_clipnorm={global_clipnorm}")
        self.name = name or backend.auto_name(type(self).__name__)
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.built = False
        self._iterations = self._add("iteration", np.zeros((), np.int64))
        self._learning_rate: Any = learning_rate if callable(learning_rate) else None
        self._rate_variable: Weight | None = None
        if not callable(learning_rate):
            if not isinstance(learning_rate, (int, float, np.floating)):
                raise ValueError("Argument `learning_rate` should be float, or an instance of LearningRateSchedule, "
                                 "or a callable (that takes in the current iteration value and returns the "
                                 f"corresponding learning rate value). Received instead: learning_rate={learning_rate}")
            self._rate_variable = self._add("learning_rate", np.array(learning_rate, np.float32))
        self._index: dict[int, int] = {}
        self._trained: list[Any] = []
        self._slots: list[list[Weight]] = []  # by slot name, then by variable
        self._statics: dict[int, Static] = {}
        self._op = Op(type(self).__name__, _step, differentiable=False)

    def _add(self, name: str, value: np.ndarray) -> Weight:
        return Weight(from_value(value), False, name, f"{self.name}/{name}")

    @property
    def iterations(self) -> Weight:
        """How many steps were done: an int64 variable."""
        return self._iterations

    @property
    def learning_rate(self) -> Any:
        """The learning rate: a variable, or what the schedule or function gives now. May be set."""
        if self._rate_variable is not None:
            return self._rate_variable
        schedule = self._learning_rate
        return schedule(self._iterations) if isinstance(schedule, LearningRateSchedule) else schedule()

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(value) and not isinstance(value, (Weight, Tensor)):
            self._learning_rate, self._rate_variable = value, None
        elif self._rate_variable is None:
            raise TypeError("This optimizer was created with a `LearningRateSchedule` object as its `learning_rate` "
                            "constructor argument, hence its learning rate is not settable. If you need the learning "
                            "rate to be settable, you should instantiate the optimizer with a float `learning_rate` "
                            "argument.")
        else:
            self._rate_variable.assign(value)

    lr = learning_rate

    @property
    def variables(self) -> list[Weight]:
        """Step counter, learning rate, and the slots of each variable."""
        rate = [] if self._rate_variable is None else [self._rate_variable]
        # By variable, as Keras makes them; a slot that it adds later (amsgrad's) follows for all variables.
        first = zip(*self._slots[:2], strict=True)
        return [self._iterations, *rate, *(s for of_one in first for s in of_one),
                *(s for of_name in self._slots[2:] for s in of_name)]

    def build(self, variables: Iterable[Any]) -> None:
        """Makes the slots for these variables, the only ones that the optimizer will then accept."""
        if self.built:
            return
        self._trained = list(variables)
        self._index = {id(v): i for i, v in enumerate(self._trained)}
        self._slots = self._make_slots()
        self.built = True

    def _make_slots(self) -> list[list[Weight]]:
        return [[self._add(f"{_label(v)}_{name}", np.zeros(v.shape.as_list(), v.dtype.as_numpy_dtype))
                 for v in self._trained] for name in self._slot_names]

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]], name: str | None = None) -> Weight:
        """Does one step.

        Args:
          grads_and_vars: pairs. The first call fixes which variables the optimizer knows.
          name: of no effect.

        Returns:
          `iterations`.

        Raises:
          ValueError: no pairs, no gradient at all, an unknown variable, or one given twice.
        """
        grads, variables = zip(*grads_and_vars, strict=True)
        self.apply(grads, variables)
        return self._iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Does one step with gradients in the order of the variables; see `apply_gradients`."""
        if trainable_variables is None:
            if not self.built:
                raise ValueError("When passing `grads` without `variables`, the optimizer must already be built on a "
                                 "list of variables. Call `optimizer.build(trainable_variables)` first.")
            trainable_variables = self._trained
            if len(grads) != len(trainable_variables):
                raise ValueError(f"Received a list of {len(grads)} gradients, but the optimizer is tracking "
                                 f"{len(trainable_variables)} trainable variables.")
        if not len(grads):
            return
        if not self.built:
            self.build(trainable_variables)
        try:
            places = [self._index[id(v)] for v in trainable_variables]
        except KeyError:
            unknown = next(v for v in trainable_variables if id(v) not in self._index)
            raise ValueError(f"Unknown variable: {unknown}. This optimizer can only be called for the variables it "
                             "was originally built with. When working with a new set of variables, you should "
                             "recreate a new optimizer instance.") from None
        if len(set(places)) < len(places):
            raise ValueError("A variable is given twice: add its gradients")
        if any(g is None for g in grads):
            grads, places = self._without_none(grads, places)
        self._run([g if type(g) is Tensor else convert.to_tensor(g) for g in grads], places)

    def _without_none(self, grads: Sequence[Any], places: list[int]) -> tuple[list, list[int]]:
        kept = [(g, i) for g, i in zip(grads, places, strict=True) if g is not None]
        if not kept:
            raise ValueError("No gradients provided for any variable.")
        absent = [getattr(self._trained[i], "path", self._trained[i].name)
                  for g, i in zip(grads, places, strict=True) if g is None]
        warnings.warn(f"Gradients do not exist for variables {absent} when minimizing the loss. If using "
                      "`model.compile()`, did you forget to provide a `loss` argument?", stacklevel=4)
        return [g for g, _ in kept], [i for _, i in kept]

    def _clipping(self) -> tuple[str, Any]:
        return next(((kind, limit) for kind, limit in (("norm", self.clipnorm), ("global", self.global_clipnorm),
                                                       ("value", self.clipvalue)) if limit), ("", None))

    def _run(self, grads: list[Tensor], places: list[int]) -> None:
        kind, limit = self._clipping()
        numbers = [(float(getattr(self, n)), _F64) for n in self._numbers]
        if self.weight_decay is not None:
            numbers.append((float(self.weight_decay), _F64))
        if kind:
            numbers.append((float(limit), _F64))
        variables = [self._trained[i] for i in places]
        slots = self._slots_of(places)
        rate = self.learning_rate
        rate = (float(rate), _F32) if isinstance(rate, (int, float)) else \
            rate._tensor if rate is self._rate_variable else convert.to_tensor(rate)
        key = static(advance=self._advance, count=len(places), numbers=len(numbers), clip=kind,
                     decay=self.weight_decay is not None)
        new = stream.record(self._op, key, (
            self._iterations._tensor, rate, *numbers, *grads, *(v._tensor for v in variables),
            *(s._tensor for s in slots)))
        for cell, value in zip((self._iterations, *variables, *slots), new, strict=True):
            cell._overwrite(value)
        for v in variables:
            if getattr(v, "constraint", None) is not None:
                v.assign(v.constraint(v))

    def _slots_of(self, places: list[int]) -> list[Weight]:
        return [of_name[i] for of_name in self._slots for i in places]

    def minimize(self, loss: Any, var_list: Any, tape: Any = None) -> Weight:
        """Computes gradients and does one step.

        Args:
          loss: function without arguments; or a tensor, with the tape that recorded it.
          var_list: variables, or a function that returns them.
          tape: `GradientTape`.

        Raises:
          ValueError: a tensor without a tape, or as `apply_gradients`.
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


def _hint_at_lr() -> None:
    global _hinted
    if not _hinted:
        _hinted = True
        warnings.warn("`lr` is an old name: Keras 3 takes `learning_rate` only.", stacklevel=4)


def _split(slots: Sequence[Any], count: int) -> list[tuple]:
    return [tuple(slots[i: i + count]) for i in range(0, len(slots), count)]


class Adam(Optimizer):
    """Adam by TensorFlow's formula (`tapejax.keras.transforms.adam`).

    Args:
      learning_rate: as of `Optimizer`.
      beta_1: decay of the first moments.
      beta_2: decay of the second moments.
      epsilon: added to the root of the second moment, outside the bias correction.
      amsgrad: divide by the largest second moment so far.
      **kwargs: as of `Optimizer`.

    Source: https://keras.io/api/optimizers/adam/

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> _ = Adam(learning_rate=0.1).apply_gradients([(tf.constant(3.0), v)])
    >>> round(float(v), 4)
    0.9
    """

    _slot_names = ("momentum", "velocity")
    _numbers = ("beta_1", "beta_2", "epsilon")

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
                 amsgrad: bool = False, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.beta_1, self.beta_2, self.epsilon, self.amsgrad = beta_1, beta_2, epsilon, amsgrad
        if amsgrad:
            self._slot_names = (*Adam._slot_names, "velocity_hat")

    @staticmethod
    def _advance(rate: Any, hyper: list, iterations: Any, grads: tuple, params: tuple, slots: Sequence) -> tuple:
        mu, nu, *top = _split(slots, len(grads))
        tx = transforms.adam(rate, *hyper, amsgrad=bool(top))
        new: Any
        updates, new = tx.update(grads, transforms.AdamState(iterations, mu, nu, top[0] if top else None))
        return updates, (*new.mu, *new.nu, *(new.nu_max or ()))


class SGD(Optimizer):
    """Gradient descent with momentum by TensorFlow's formula (`tapejax.keras.transforms.sgd`).

    Args:
      learning_rate: as of `Optimizer`.
      momentum: in [0, 1].
      nesterov: look ahead by one step of the momentum.
      **kwargs: as of `Optimizer`.

    Raises:
      ValueError: `momentum` is out of range.

    Source: https://keras.io/api/optimizers/sgd/

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> _ = SGD(0.1, momentum=0.9).apply_gradients([(tf.constant(1.0), v)])
    >>> round(float(v), 4)
    0.9
    """

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        if not isinstance(momentum, (int, float)) or not 0 <= momentum <= 1:
            raise ValueError("`momentum` must be a float between [0, 1].")
        self.momentum, self.nesterov = momentum, nesterov
        if momentum:
            self._slot_names, self._numbers = ("momentum",), ("momentum",)
            self._advance = SGD._advance_nesterov if nesterov else SGD._advance_momentum

    @staticmethod
    def _advance(rate: Any, hyper: list, iterations: Any, grads: tuple, params: tuple, slots: Sequence) -> tuple:
        return transforms.sgd(rate).update(grads, ())[0], ()

    @staticmethod
    def _advance_momentum(rate: Any, hyper: list, iterations: Any, grads: tuple, params: tuple,
                          slots: Sequence) -> tuple:
        return transforms.sgd(rate, hyper[0]).update(grads, tuple(slots))

    @staticmethod
    def _advance_nesterov(rate: Any, hyper: list, iterations: Any, grads: tuple, params: tuple,
                          slots: Sequence) -> tuple:
        return transforms.sgd(rate, hyper[0], nesterov=True).update(grads, tuple(slots))


class _Optax(Optimizer):
    """An optax transformation as an optimizer; see `from_optax`."""

    @property
    def variables(self) -> list[Weight]:
        return [self._iterations, *self._slots_of([])]

    def __init__(self, transformation: optax.GradientTransformation, name: str | None):
        super().__init__(0.0, name=name or backend.auto_name("Optax"))
        self._rate_variable = None
        self._transformation = transformation
        self._structure: Any = None
        self._advance = self._update

    @property
    def learning_rate(self) -> Any:
        """Inside the transformation.

        Raises:
          AttributeError: always.
        """
        raise AttributeError("The learning rate of an optax transformation is inside it: use a schedule, or "
                             "optax.inject_hyperparams")

    def _make_slots(self) -> list[list[Weight]]:
        with jax.enable_x64(True):
            state = jax.jit(self._transformation.init)(tuple(stream.realize(v._tensor) for v in self._trained))
        leaves, self._structure = jax.tree.flatten(state)
        return [[self._add(f"state_{i}", np.asarray(leaf))] for i, leaf in enumerate(leaves)]

    def _slots_of(self, places: list[int]) -> list[Weight]:
        return [slot for (slot,) in self._slots]

    def _run(self, grads: list[Tensor], places: list[int]) -> None:
        if len(places) < len(self._trained) or places != sorted(places):
            # The transformation's state is for all variables: one without a gradient gets zeros.
            given = dict(zip(places, grads, strict=True))
            places = list(range(len(self._trained)))
            grads = [given[i] if i in given else from_value(np.zeros(v.shape.as_list(), v.dtype.as_numpy_dtype))
                     for i, v in enumerate(self._trained)]
        variables, slots = self._trained, self._slots_of(places)
        key = static(advance=self._advance, count=len(places), numbers=0, clip="", decay=False)
        new = stream.record(self._op, key, (self._iterations._tensor, (0.0, _F32), *grads,
                                            *(v._tensor for v in variables), *(s._tensor for s in slots)))
        for cell, value in zip((self._iterations, *variables, *slots), new, strict=True):
            cell._overwrite(value)

    def _update(self, rate: Any, hyper: list, iterations: Any, grads: tuple, params: tuple, slots: Sequence) -> tuple:
        updates, state = self._transformation.update(grads, jax.tree.unflatten(self._structure, slots), params)
        leaves = jax.tree.leaves(state)
        return updates, tuple(new.astype(old.dtype) for new, old in zip(leaves, slots, strict=True))


def from_optax(transformation: optax.GradientTransformation, name: str | None = None) -> Optimizer:
    """Any optax optimizer as a Keras one.

    Args:
      transformation: such as ``optax.adamw(1e-3)``; its state is kept in variables.
      name: of the optimizer.

    Returns:
      An `Optimizer`. Variables without a gradient count as having a zero one.

    >>> import tapejax as tf
    >>> v = tf.Variable(1.0)
    >>> _ = from_optax(optax.sgd(0.5)).apply_gradients([(tf.constant(1.0), v)])
    >>> float(v)
    0.5
    """
    return _Optax(transformation, name)


_BY_NAME = {"adam": Adam, "sgd": SGD}


def get(identifier: Any) -> Optimizer:
    """The optimizer for a name; an `Optimizer` passes through, an optax transformation is wrapped.

    Raises:
      ValueError: it is none of these.

    >>> get("adam").name.startswith("adam")
    True
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str) and identifier.lower() in _BY_NAME:
        return _BY_NAME[identifier.lower()]()
    if isinstance(identifier, optax.GradientTransformation):
        return from_optax(identifier)
    raise ValueError(f"Could not interpret optimizer identifier: {identifier}")


__getattr__ = missing.module_getattr(__name__, globals())
