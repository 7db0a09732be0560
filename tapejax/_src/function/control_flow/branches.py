"""`tf.cond`, `tf.case`, `tf.switch_case`, `tf.while_loop`.

In eager mode they run Python: one of the branches, or a Python loop. While a graph is captured, each of them becomes
one op that uses XLA's control flow. Derivatives of any order can be taken.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tapejax._src.core import errors, nest
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor
from tapejax._src.engine.capture import SymbolicValueError
from tapejax._src.function.control_flow.regions import is_staged, leaves_of, pack
from tapejax._src.function.control_flow.staging import branch, loop
from tapejax._src.function.control_flow.tensor_array import TensorArray

__all__ = ["case", "cond", "switch_case", "while_loop"]


@public("cond")
def cond(
    pred: Any,
    true_fn: Callable[[], Any] | None = None,
    false_fn: Callable[[], Any] | None = None,
    name: str | None = None,
) -> Any:
    """Calls one of two functions, depending on a condition.

    While a graph is captured, both functions are captured. Then they must return results of the same structure, shapes
    and dtypes.

    Args:
      pred: the condition, a bool scalar.
      true_fn: a function without arguments, called if the condition is true.
      false_fn: a function without arguments, called if the condition is false.
      name: of no effect.

    Returns:
      The result of the function that is called.

    Raises:
      TypeError: `true_fn` or `false_fn` is not callable; or the captured results differ in structure or dtype.
      SymbolicValueError: the captured results differ in shape.

    Source: https://www.tensorflow.org/api_docs/python/tf/cond

    >>> cond(to_tensor(2.0) > 1.0, lambda: "yes", lambda: "no")
    'yes'
    """
    for fn, what in ((true_fn, "true_fn"), (false_fn, "false_fn")):
        if not callable(fn):
            raise TypeError(f"'{what}' must be callable.")
    assert true_fn is not None and false_fn is not None
    if not is_staged([pred]):
        return true_fn() if pred else false_fn()
    if isinstance(pred, bool):
        raise TypeError("pred must not be a Python bool", pred)
    pred = to_tensor(pred)
    if pred.aval.dtype != np.bool_ or pred.aval.shape:
        raise errors.InvalidArgumentError(
            message=f"`pred` must be a scalar of bool, got {pred.dtype.name} of shape {pred.shape}"
        )
    return branch("cond", pred, [true_fn, false_fn], ["true_fn", "false_fn"])


@public("switch_case")
def switch_case(
    branch_index: Any, branch_fns: Any, default: Callable[[], Any] | None = None, name: str = "switch_case"
) -> Any:
    """Calls one of several functions, chosen by an index.

    Args:
      branch_index: the index, an int32 scalar tensor.
      branch_fns: the functions for the indices 0, 1, 2 and so on: a list of functions, a list of pairs (index,
        function), or a dictionary.
      default: the function that is called if the index is out of range. By default the last function is called.
      name: of no effect.

    Returns:
      The result of the function that is called.

    Raises:
      TypeError: `branch_index` is not an integer tensor, or an entry of `branch_fns` is not a function or pair.
      ValueError: `branch_fns` is empty, or the indices have gaps.

    Source: https://www.tensorflow.org/api_docs/python/tf/switch_case

    >>> switch_case(to_tensor(1), [lambda: "a", lambda: "b"])
    'b'
    """
    if not isinstance(branch_index, Tensor) and not hasattr(branch_index, "_read"):
        raise TypeError(f"'branch_index' must be a Tensor, got {type(branch_index)}")
    index = to_tensor(branch_index)
    if index.aval.dtype.kind not in "iu":
        raise TypeError(f"'branch_index' must be an integer Tensor, got {index.dtype!r}")
    if not isinstance(branch_fns, (list, tuple, Mapping)):
        raise TypeError(f"'branch_fns' must be a dict or a list of functions or pairs, got {type(branch_fns)}")
    pairs: list[Any] = list(branch_fns.items()) if isinstance(branch_fns, Mapping) else list(branch_fns)
    if not pairs:
        raise ValueError("Must provide at least one item in 'branch_fns'")
    if all(map(callable, pairs)):
        pairs = list(enumerate(pairs))
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], int) or not callable(pair[1]):
            raise TypeError(f"Each entry in 'branch_fns' must be a function or an (int, function) pair, got {pair!r}")
    pairs.sort(key=lambda pair: pair[0])
    if [k for k, _ in pairs] != list(range(len(pairs))):
        raise ValueError(
            f"branch indices (keys) must form contiguous range of [0 to {len(pairs)}) but found "
            f"{{{','.join(str(k) for k, _ in pairs)}}}"
        )
    fns = [fn for _, fn in pairs]
    if default is not None:
        if not callable(default):
            raise TypeError("'default' must be callable.")
        fns.append(default)
    if not is_staged([index]):
        at = int(index)
        return fns[at if 0 <= at < len(fns) else -1]()
    if index.aval.dtype != np.int32 or index.aval.shape:
        raise TypeError(f"'branch_index' must be a scalar of int32, got {index.dtype.name} of shape {index.shape}")
    return branch("switch_case", index, fns, [f"branch {k}" for k in range(len(fns))])


@public("case")
def case(
    pred_fn_pairs: Sequence[tuple[Any, Callable[[], Any]]],
    default: Callable[[], Any] | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """Calls the function that belongs to the first true condition.

    Args:
      pred_fn_pairs: a list of pairs (condition, function). A condition is a bool scalar tensor.
      default: the function that is called if no condition is true.
      exclusive: whether it is an error if several conditions are true. Without a default, the last condition does not
        count, as in TensorFlow.
      strict: of no effect: a list with one element is always returned as a list.
      name: of no effect.

    Returns:
      The result of the function that is called.

    Raises:
      InvalidArgumentError: no condition is true and there is no default; or several are true and `exclusive` is set.
      TypeError: an entry of `pred_fn_pairs` is not such a pair.
      ValueError: `pred_fn_pairs` is empty.
      SymbolicValueError: a graph is being captured, and there is no default, or `exclusive` is set. A compiled program
        cannot raise these errors.

    Source: https://www.tensorflow.org/api_docs/python/tf/case

    >>> case([(to_tensor(1) > 2, lambda: "large")], default=lambda: "small")
    'small'
    """
    if not isinstance(pred_fn_pairs, (list, tuple)):
        raise TypeError(f"'pred_fn_pairs' must be a list, tuple, or dict. Received {type(pred_fn_pairs)}")
    for pair in pred_fn_pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"Each entry in 'pred_fn_pairs' must be a 2-tuple. Received {pair!r}.")
        pred, fn = pair
        if not isinstance(pred, Tensor) and not hasattr(pred, "_read"):
            raise TypeError(f"pred must be a Tensor, got: {pred}")
        if to_tensor(pred).aval.dtype != np.bool_:
            raise TypeError(f"pred must be Tensor of type bool: {pred!r}")
        if not callable(fn):
            raise TypeError(f"fn for pred {pred!r} must be callable.")
    if not pred_fn_pairs:
        raise ValueError("'pred_fn_pairs' must not be empty")
    if default is not None and not callable(default):
        raise TypeError("'default' must be callable.")
    pairs = list(pred_fn_pairs)
    if not is_staged([p for p, _ in pairs]):
        if exclusive and sum(bool(p) for p, _ in (pairs[:-1] if default is None else pairs)) > 1:
            raise errors.InvalidArgumentError(
                message="Input error: exclusive=True: more than 1 conditions evaluated as True"
            )
        for pred, fn in pairs:
            if pred:
                return fn()
        if default is None:
            raise errors.InvalidArgumentError(message="Input error: None of conditions evaluated as True")
        return default()
    if default is None or exclusive:
        raise SymbolicValueError(
            "tf.case without `default`, or with `exclusive`, must look at the predicates and "
            "raise, which a compiled program cannot; give a default"
        )
    last = default
    for pred, fn in reversed(pairs):
        last = _chained(pred, fn, last)
    return last()


def _chained(pred: Any, fn: Callable[[], Any], otherwise: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: cond(to_tensor(pred), fn, otherwise)


@public("while_loop")
def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    maximum_iterations: Any = None,
    name: str | None = None,
) -> Any:
    """Calls `body` on the loop variables as long as `cond` is true.

    Args:
      cond: a function of the loop variables that returns a bool scalar.
      body: a function of the loop variables that returns their next values.
      loop_vars: a list or tuple of the initial values: tensors, numbers, TensorArrays, and structures of them.
      shape_invariants: shapes that the loop variables stay compatible with. While a graph is captured, a loop variable
        cannot change its shape, even if this argument allows it.
      parallel_iterations: of no effect.
      back_prop: of no effect.
      swap_memory: of no effect.
      maximum_iterations: the greatest number of iterations. If it is a Python number or known otherwise when the loop
        is captured, derivatives cost less.
      name: of no effect.

    Returns:
      The final values of the loop variables, in the structure of `loop_vars`.

    Raises:
      TypeError: `cond` or `body` is not callable; or, in a captured loop, a loop variable changes its dtype.
      ValueError: there are no loop variables; `body` returns another structure; or, in a captured loop, a loop variable
        changes its shape.
      SymbolicValueError: a loop variable of a captured loop changes its shape, and `shape_invariants` allows that.

    Source: https://www.tensorflow.org/api_docs/python/tf/while_loop

    >>> while_loop(lambda i: i < 10, lambda i: (i + 3,), (to_tensor(0),))[0].numpy().item()
    12
    """
    for fn, what in ((cond, "cond"), (body, "body")):
        if not callable(fn):
            raise TypeError(f"'{what}' must be callable.")
    if not isinstance(parallel_iterations, int) or parallel_iterations < 1:
        raise TypeError("'parallel_iterations' must be a positive integer.")
    staged = is_staged([*nest.flatten(loop_vars), maximum_iterations])
    if staged and isinstance(loop_vars, Tensor):
        raise TypeError("'loop_vars' must be a list or tuple, not a Tensor")
    if not staged:
        return _python_loop(cond, body, loop_vars, maximum_iterations)
    if not loop_vars and not callable(getattr(loop_vars, "keys", None)):
        loop_vars = list(loop_vars)
    return _staged_loop(cond, body, loop_vars, shape_invariants, maximum_iterations)


def _python_loop(cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum: Any) -> Any:
    if isinstance(loop_vars, Tensor) or not loop_vars:
        raise ValueError("'loop_vars' must be provided.")
    packed = len(loop_vars) == 1
    turns = 0
    while cond(*loop_vars) and (maximum is None or turns < int(maximum)):
        found = body(*loop_vars)
        if packed and not isinstance(found, (list, tuple)):
            if isinstance(found, Tensor):
                len(found)  # raises TypeError for a scalar, over which TensorFlow would try to iterate
            found = (found,)
        nest.assert_same_structure(list(found), list(loop_vars))
        loop_vars = found
        turns += 1
    return nest.map_structure(lambda v: v if isinstance(v, TensorArray) else to_tensor(v), loop_vars)


def _staged_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, shape_invariants: Any, maximum: Any
) -> Any:
    leaves = leaves_of(loop_vars)
    for leaf in leaves:
        if leaf is None:
            raise ValueError("None values not supported.")
    single = len(loop_vars) == 1

    def next_values(*values: Any) -> Any:
        found = body(*values)
        if single and not nest.is_nested(found):
            found = (found,)
        try:
            nest.assert_same_structure(list(found), list(loop_vars), expand_composites=True)
        except (TypeError, ValueError) as e:
            raise type(e)(f"`body` of tf.while_loop must return the structure of `loop_vars`: {e}") from None
        return list(found)

    invariants = None
    if shape_invariants is not None:
        invariants = [getattr(s, "shape", s) for s in nest.flatten(shape_invariants)]
    results = loop("while_loop", cond, next_values, list(loop_vars), leaves, maximum=maximum, invariants=invariants)
    return pack(loop_vars, leaves, results)
