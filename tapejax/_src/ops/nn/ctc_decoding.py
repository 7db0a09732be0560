"""Connectionist temporal classification (CTC): decoding label sequences from logits, by search on the host."""

import heapq
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tapejax._src.core import errors
from tapejax._src.core.checks import invalid, invalid_value
from tapejax._src.core.convert import to_tensor
from tapejax._src.core.public import public
from tapejax._src.core.tensor import Tensor, from_value
from tapejax._src.engine import stream
from tapejax._src.ops.registry import Array, op

__all__ = ["collapse_repeated", "ctc_beam_search_decoder", "ctc_greedy_decoder", "ctc_unique_labels"]


def _on_host(inputs: Any, sequence_length: Any) -> tuple[np.ndarray, np.ndarray]:
    """Checks the arguments of a decoder and reads them.

    Returns:
      The logits as [batch, time, classes], and the number of time steps of each example.
    """
    given, lengths = to_tensor(inputs), to_tensor(sequence_length, None, np.dtype(np.int32))
    if lengths.aval.dtype != np.int32:
        raise invalid(f"sequence_length was expected to be a int32 tensor but is a {lengths.dtype.name} tensor")
    if given.aval.dtype not in (np.float32, np.float64):
        raise invalid(f"Value for attr 'T' of {given.dtype.name} is not in the list of allowed values: float, double")
    if len(given.aval.shape) != 3:
        raise invalid("inputs is not a 3-Tensor")
    steps, batch, _ = given.aval.shape
    if not batch:
        raise invalid_value("batch_size must not be 0")
    if lengths.aval.shape != (batch,):
        raise errors.FailedPreconditionError(
            message=f"len(sequence_length) != batch_size. sequence_length has shape {lengths.shape}, batch_size is "
            f"{batch}"
        )
    logits, counts = stream.host(given), stream.host(lengths)
    if wrong := [i for i, n in enumerate(counts) if n > steps]:
        raise errors.FailedPreconditionError(message=f"sequence_length({wrong[0]}) <= {steps}")
    return np.swapaxes(logits, 0, 1), counts


def _sparse(rows: list[Any]) -> Any:
    """A list of label sequences as a sparse matrix."""
    from tapejax._src.composite.sparse import SparseTensor  # imported late, since few programs use it

    indices = [(i, j) for i, row in enumerate(rows) for j in range(len(row))]
    values = np.concatenate([np.zeros(0, np.int64), *rows]).astype(np.int64)
    shape = np.array([len(rows), max(map(len, rows), default=0)], np.int64)
    return SparseTensor(from_value(np.array(indices, np.int64).reshape(-1, 2)), from_value(values), from_value(shape))


@public("nn.ctc_greedy_decoder")
def ctc_greedy_decoder(
    inputs: Any, sequence_length: Any, merge_repeated: bool = True, blank_index: int | None = None
) -> tuple[list[Any], Tensor]:
    """Decodes the class of the greatest logit in each step, and leaves out blanks.

    Args:
      inputs: the logits, float32 or float64 of shape [time, batch, classes].
      sequence_length: int32 of shape [batch]: how many time steps of each example count.
      merge_repeated: whether a label that directly follows itself counts once.
      blank_index: the class that stands for no label, by default the last. Negative numbers count from the end.

    Returns:
      A list of one int64 `tf.SparseTensor` of shape [batch, longest]; and a tensor of shape [batch, 1], the sums of the
      greatest logits with a minus sign. Neither has a gradient.

    Raises:
      InvalidArgumentError: `inputs` has a wrong shape or dtype, or `blank_index` is out of range.
      FailedPreconditionError: `sequence_length` does not fit `inputs`.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/ctc_greedy_decoder

    >>> import tapejax as tf
    >>> best = tf.one_hot([[0], [0], [2], [0], [1]], 3)
    >>> (found,), _ = ctc_greedy_decoder(best, [5])
    >>> found.values.numpy().tolist()
    [0, 0, 1]
    """
    logits, lengths = _on_host(inputs, sequence_length)
    classes = logits.shape[2]
    blank = -1 if blank_index is None else blank_index
    if not -classes <= blank < classes:
        raise invalid_value(f"blank_index expected to be between {-classes} and {classes - 1} but was {blank}")
    rows, sums = [], []
    for row, n in zip(logits, lengths, strict=True):
        best = row[:n].argmax(1)
        kept = best != blank % classes
        if merge_repeated:
            kept[1:] &= best[1:] != best[:-1]
        rows.append(best[kept])
        sums.append([-row[:n].max(1).sum()])
    return [_sparse(rows)], from_value(np.array(sums, logits.dtype).reshape(-1, 1))


@public("nn.ctc_beam_search_decoder")
def ctc_beam_search_decoder(
    inputs: Any, sequence_length: Any, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Any], Tensor]:
    """Decodes the most probable label sequences by a beam search. The last class is the blank.

    Args:
      inputs: the logits, float32 or float64 of shape [time, batch, classes].
      sequence_length: int32 of shape [batch]: how many time steps of each example count.
      beam_width: how many sequences are kept from one time step to the next.
      top_paths: how many sequences are returned, at most `beam_width`.

    Returns:
      A list of `top_paths` int64 `tf.SparseTensor` of shape [batch, longest], the most probable first; and their
      log-probabilities, of shape [batch, top_paths]. None of them has a gradient.

    Raises:
      InvalidArgumentError: `inputs` has a wrong shape or dtype, or there are fewer sequences than `top_paths`.
      FailedPreconditionError: `sequence_length` does not fit `inputs`.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/ctc_beam_search_decoder (Graves 2012)

    >>> import tapejax as tf
    >>> (first, second), _ = ctc_beam_search_decoder(3.0 * tf.one_hot([[0], [2], [0]], 3), [3], top_paths=2)
    >>> first.values.numpy().tolist(), second.values.numpy().tolist()
    ([0, 0], [0])
    """
    if top_paths > beam_width:
        raise invalid_value("requested more paths than the beam width.")
    logits, lengths = _on_host(inputs, sequence_length)
    logs = logits - logits.max(2, keepdims=True)
    logs -= np.log(np.exp(logs).sum(2, keepdims=True))
    found = [_search(row[:n], beam_width, top_paths) for row, n in zip(logs, lengths, strict=True)]
    paths = [_sparse([labels[k] for labels, _ in found]) for k in range(top_paths)]
    scores = np.array([score for _, score in found], logits.dtype).reshape(-1, top_paths)
    return paths, from_value(scores)


class _Tree:
    """Label sequences as the nodes of a tree. A node has its parent's number and the last label; node 0 is empty."""

    def __init__(self):
        self.parents, self.last = [-1], [-1]
        self.numbers: dict[tuple[int, int], int] = {}

    def child(self, node: int, label: int) -> int:
        """The number of the sequence that extends sequence `node` by one label."""
        number = self.numbers.setdefault((node, label), len(self.parents))
        if number == len(self.parents):
            self.parents.append(node)
            self.last.append(label)
        return number

    def labels(self, node: int) -> np.ndarray:
        """The labels of a sequence."""
        path = []
        while node:
            path.append(self.last[node])
            node = self.parents[node]
        return np.array(path[::-1], np.int64)


def _search(logs: np.ndarray, width: int, wanted: int) -> tuple[list[np.ndarray], np.ndarray]:
    """The best label sequences of one example, and their log-probabilities.

    `beam` is a list of nodes. For each node `ends` holds two log-probabilities: that of the alignments that end in a
    blank, and that of the alignments that end in the sequence's last label.

    As in TensorFlow, a sequence that is pushed out of the beam during a step is not extended in this step any more, if
    the search comes to its parent after that.
    """
    tree = _Tree()
    beam, ends = [0], np.array([[0.0, -np.inf]], logs.dtype)
    for now in logs:
        total = np.logaddexp(*ends.T)
        tails = np.array([tree.last[n] for n in beam])
        # A label that directly follows itself only counts as a new label if a blank is between.
        longer = np.where(tails[:, None] == np.arange(len(now) - 1), ends[:, :1], total[:, None]) + now[:-1]
        same = np.stack([total + now[-1], np.where(tails < 0, -np.inf, ends[:, 1] + now[tails])], 1)
        place = {n: i for i, n in enumerate(beam)}
        for i, n in enumerate(beam):
            j = place.get(tree.parents[n])
            if j is not None:  # the beam holds a sequence and its parent
                same[i, 1] = np.logaddexp(same[i, 1], longer[j, tails[i]])
                longer[j, tails[i]] = np.inf  # marks an extension that is in the beam already
        # Entries are (log-probability, node, new row of `ends`). The least probable one is the first.
        heap = [(float(t), n, tuple(e)) for t, n, e in zip(np.logaddexp(*same.T), beam, same, strict=True)]
        heapq.heapify(heap)
        out: set[int] = set()
        ended: set[int] = set()
        for i in np.argsort(-total, kind="stable").tolist():
            lowest = heap[0][0] if len(heap) == width else -np.inf
            if total[i] <= lowest:
                break
            for label in np.nonzero(longer[i] > lowest)[0].tolist() if beam[i] not in ended else ():
                score, n = float(longer[i, label]), tree.child(beam[i], label)
                if score == np.inf:
                    ended |= out & {n}
                elif len(heap) < width:
                    heapq.heappush(heap, (score, n, (-np.inf, score)))
                elif score > heap[0][0]:
                    out.add(heapq.heapreplace(heap, (score, n, (-np.inf, score)))[1])
        beam, ends = [n for _, n, _ in heap], np.array([e for _, _, e in heap], logs.dtype)
    total = np.logaddexp(*ends.T)
    order = np.argsort(-total, kind="stable")[:wanted]
    if len(order) < wanted:
        raise invalid_value("Less leaves in the beam search than requested.")
    return [tree.labels(beam[i]) for i in order], total[order]


@op(differentiable=False)
def _unique_labels(labels: Array):
    if labels.ndim != 2:
        raise invalid("unique expects a 1D vector.")
    n = labels.shape[1]
    first = jnp.argmax(labels[:, :, None] == labels[:, None, :], 2)  # where each label occurs first in its row
    is_first = first == jnp.arange(n)
    rank = jnp.cumsum(is_first, 1, dtype=np.int32) - 1
    places = jnp.where(is_first, rank, n)
    unique = jax.vmap(lambda row, at: jnp.zeros(n, np.int64).at[at].set(row, mode="drop"))(
        labels.astype(np.int64), places
    )
    return unique, jnp.take_along_axis(rank, first, 1)


@public("nn.ctc_unique_labels")
def ctc_unique_labels(labels: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The distinct labels of each row, and for each label its position among them, for `tf.nn.ctc_loss`.

    Args:
      labels: integers of shape [batch, longest].
      name: has no effect, as in eager TensorFlow.

    Returns:
      The distinct labels, int64 and padded with 0, and int32 positions in them. Both have the shape of `labels`.

    Raises:
      InvalidArgumentError: `labels` is not a matrix.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/ctc_unique_labels

    >>> [t.numpy().tolist() for t in ctc_unique_labels([[3, 4, 4, 3]])]
    [[[3, 4, 0, 0]], [[0, 1, 1, 0]]]
    """
    return tuple(_unique_labels(labels))


@public("nn.collapse_repeated")
def collapse_repeated(labels: Any, seq_length: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Label sequences in which a label that directly follows itself is kept once.

    Args:
      labels: a tensor of shape [batch, longest].
      seq_length: integers of shape [batch]: how many labels of each row count.
      name: has no effect, as in eager TensorFlow.

    Returns:
      The sequences, of shape [batch, longest of the results] and padded with 0, and their lengths, int32 of shape
      [batch].

    Raises:
      InvalidArgumentError: `labels` is not a matrix.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn/collapse_repeated

    >>> [t.numpy().tolist() for t in collapse_repeated([[1, 1, 2, 2, 1], [4, 4, 4, 0, 0]], [5, 3])]
    [[[1, 2, 1], [4, 0, 0]], [3, 1]]
    """
    given, lengths = (stream.host(to_tensor(t)) for t in (labels, seq_length))
    if given.ndim != 2:
        raise invalid(f"`labels` must be a matrix, got shape {given.shape}")
    kept = np.arange(given.shape[1]) < lengths[:, None]
    kept[:, 1:] &= given[:, 1:] != given[:, :-1]
    counts = kept.sum(1, dtype=np.int32)
    out = np.zeros((len(given), counts.max(initial=0)), given.dtype)
    out[np.arange(out.shape[1]) < counts[:, None]] = given[kept]
    return from_value(out), from_value(counts)
