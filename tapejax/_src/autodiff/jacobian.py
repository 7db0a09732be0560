"""Jacobians. The backward pass is captured once, and `jax.vmap` runs it for all elements of the target."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tapejax._src.autodiff.backward import gradients
from tapejax._src.autodiff.record import Record
from tapejax._src.core.tensor import Tensor
from tapejax._src.engine import stream
from tapejax._src.engine.capture import capture
from tapejax._src.engine.op import Op, static

__all__ = ["jacobians"]


def jacobians(
    record: Record,
    target: Tensor,
    sources: list[Any],
    *,
    batched: bool,
    use_pfor: bool,
    parallel_iterations: int | None,
) -> list[Tensor | None]:
    """Derivatives of every element of `target` with respect to each source.

    Args:
      record: what the tape recorded.
      target: the tensor that is differentiated.
      sources: tensors and variables.
      batched: whether the first axes of target and source are one batch axis (`GradientTape.batch_jacobian`).
      use_pfor: True computes the derivatives of all elements at once (`jax.vmap`), False those of
        `parallel_iterations` elements at a time (`jax.lax.map`).
      parallel_iterations: see `use_pfor`.

    Returns:
      For each source a tensor of shape ``target.shape + source.shape``, or None if the target does not depend on it.
      If `batched`, the shape is ``[b, *target.shape[1:], *source.shape[1:]]``.
    """
    captured = capture(lambda seed: gradients(record, [target], [seed], sources), [target.aval])
    found = [g for g in captured.results if g is not None]
    if not found:
        return [None] * len(sources)
    graph = captured.graph(found)
    shape = target.aval.shape
    # Captures of equal backward passes end in the same trie node. Its memo holds the op, so that it is compiled once.
    key = ("jacobian", graph.outputs, len(captured.inputs), batched, use_pfor, parallel_iterations)
    op = captured.end.memo.get(key)
    if op is None:
        n_inputs = len(captured.inputs)

        def run(*arrays: Any, shape: tuple[int, ...]) -> tuple:
            inputs, scalars = arrays[:n_inputs], arrays[n_inputs:]
            inner = shape[1:] if batched else shape
            n = int(np.prod(inner, dtype=np.int64))
            basis = jnp.eye(n, dtype=target_dtype).reshape(n, *inner)
            if batched:
                basis = jnp.broadcast_to(basis[:, None], (n, *shape))

            def one(seed: Any) -> tuple:
                return tuple(graph([seed, *inputs], scalars))

            rows = jax.vmap(one)(basis) if use_pfor else jax.lax.map(one, basis, batch_size=parallel_iterations)
            if batched:
                return tuple(jnp.moveaxis(r, 0, 1).reshape(r.shape[1], *inner, *r.shape[2:]) for r in rows)
            return tuple(r.reshape(*inner, *r.shape[1:]) for r in rows)

        target_dtype = target.aval.dtype
        op = captured.end.memo[key] = Op("jacobian", run)
    results = iter(stream.record(op, static(shape=shape), (*captured.inputs, *captured.scalars)))
    return [None if g is None else next(results) for g in captured.results]
