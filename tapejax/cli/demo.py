"""`tapejax demo`: shows on this machine that gradients are right, and how fast a training step is.

It compares the gradients of three small programs with values derived by hand. Then it trains a small model, together
with the same training step written in plain `jax.jit`, and draws the loss in the terminal.
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TextIO

import numpy as np

BATCH, FEATURES, HIDDEN, OUTPUTS = 32, 5, 10, 2
BATCHES = 8
LEARNING_RATE = 0.01
SLICE = 10  # how many steps one side runs before it is the other's turn
# The bits of the dots in a braille character, by row and column.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))

Step = Callable[[int], float]
Batches = Sequence[tuple[np.ndarray, np.ndarray]]


def main(argv: Sequence[str] = ()) -> int:
    """Runs `tapejax demo`.

    Args:
      argv: The arguments after `tapejax demo`.

    Returns:
      0 if every gradient is right, the losses are those of plain JAX and the loss fell. Otherwise 1.
    """
    options = _parser().parse_args(list(argv))
    steps = options.steps or (60 if options.quick else 400)
    out = sys.stdout

    import jax

    import tapejax as tf

    where = f"{jax.devices()[0].device_kind} ({jax.default_backend()})"
    print(f"tapejax {tf.version.TAPEJAX_VERSION} on JAX {jax.__version__}, {where}", file=out)
    tf.random.set_seed(0)
    print("\nGradients of the three programs\n", file=out)
    right = [_show_check(check, out) for check in gradients(tf)]

    batches = _data()
    model, step = tapejax_step(tf, batches)
    reference = jax_step(jax, [np.array(v) for v in model.trainable_variables], batches)
    print(
        f"\nTraining: Dense({HIDDEN}, relu), Dense({OUTPUTS}), mean squared error, Adam; "
        f"{steps} steps of {BATCH} rows\n",
        file=out,
    )
    result = race(step, reference, steps, Progress(steps, out))
    print(_timing(result), file=out)
    smooth = [statistics.mean(result.losses[max(0, i + 1 - BATCHES) : i + 1]) for i in range(steps)]
    print(f"\nLoss, mean of the last {BATCHES} steps: {smooth[0]:.4g} to {smooth[-1]:.4g}\n", file=out)
    print("\n".join(draw(smooth, encoding=out.encoding)), file=out)

    report = tf.explain()
    print(
        f"\n{report.ops_recorded} operations recorded, {report.programs_compiled} programs compiled in "
        f"{report.compile_seconds:.1f} s; print(tapejax.explain()) lists them, with the reasons.",
        file=out,
    )
    agree = np.allclose(result.losses, result.reference_losses, rtol=0.02, atol=1e-4)
    fell = statistics.mean(result.losses[-SLICE:]) < statistics.mean(result.losses[:SLICE])
    for good, complaint in (
        (all(right), "a gradient is not what it must be: the value derived by hand"),
        (agree, "the losses are not those of plain JAX"),
        (fell, "the loss did not fall"),
    ):
        if not good:
            print(f"tapejax demo: {complaint}", file=sys.stderr)
    return 0 if all(right) and agree and fell else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapejax demo",
        description="Train a small model in TensorFlow's style. Compare gradients with values derived by hand and "
        "the time per step with plain jax.jit, and draw the loss curve.",
    )
    steps = f"training steps, at least {SLICE} (default: 400)"
    parser.add_argument("--steps", type=_steps, metavar="N", help=steps)
    parser.add_argument("--quick", action="store_true", help="train for 60 steps, unless --steps is given")
    return parser


def _steps(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a whole number: {text!r}") from None
    if number < SLICE:
        raise argparse.ArgumentTypeError(f"at least {SLICE}, not {number}")
    return number


# The three programs


class Check(NamedTuple):
    """A gradient and the value that was derived by hand. Both are numbers or arrays of the same shape.

    Attributes:
      what: a description of the gradient.
      found: the computed gradient.
      by_hand: the value derived by hand.
      formula: how it was derived.
    """

    what: str
    found: Any
    by_hand: Any
    formula: str

    @property
    def right(self) -> bool:
        """Whether both have the same shape and agree within the accuracy of float32."""
        found, by_hand = np.asarray(self.found), np.asarray(self.by_hand)
        return found.shape == by_hand.shape and np.allclose(found, by_hand, rtol=1e-4, atol=1e-5)


def gradients(tf: Any) -> Iterator[Check]:
    """Runs the three programs and compares their gradients with values derived by hand.

    Args:
      tf: tapejax, or any module with TensorFlow's names.
    """
    x = tf.Variable(3.0, name="x", dtype=tf.float32)
    y = tf.Variable(2.0, name="y", dtype=tf.float32)
    with tf.GradientTape() as tape:
        z = x**2 + y * x - 3 * y
    dx, dy = tape.gradient(z, [x, y])
    yield Check("1  d/dx of x**2 + y*x - 3*y at (3, 2)", dx.numpy(), 2 * 3.0 + 2.0, "2*x + y")
    yield Check("1  d/dy", dy.numpy(), 3.0 - 3.0, "x - 3")

    model = _model(tf)
    inputs, labels = tf.random.normal((BATCH, FEATURES)), tf.random.normal((BATCH, OUTPUTS))
    with tf.GradientTape() as tape:
        loss = tf.keras.losses.MeanSquaredError()(labels, model(inputs))
    found = tape.gradient(loss, model.trainable_variables)
    weights = [np.asarray(v, np.float64) for v in model.trainable_variables]
    by_hand = backpropagate(weights, np.asarray(inputs, np.float64), np.asarray(labels, np.float64))
    names = (("kernel 1", "x.T @ dh"), ("bias 1", "dh.sum(0)"), ("kernel 2", "h.T @ dp"), ("bias 2", "dp.sum(0)"))
    for (name, formula), g, expected in zip(names, found, by_hand, strict=True):
        yield Check(f"2  {name} of the model, {list(expected.shape)}", g.numpy(), expected, formula)

    @tf.custom_gradient
    def custom_relu(x: Any) -> Any:
        def grad(dy: Any) -> Any:
            return dy * tf.cast(x > 0, tf.float32) * 2

        return tf.nn.relu(x), grad

    x = tf.Variable([-1.5, 0.0, 2.0])
    with tf.GradientTape() as tape:
        z = tf.reduce_sum(custom_relu(x))
    dx = tape.gradient(z, x)
    yield Check("3  custom gradient of relu at (-1.5, 0, 2)", dx.numpy(), 2.0 * (x.numpy() > 0), "2 * (x > 0)")


def backpropagate(weights: Sequence[np.ndarray], x: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Computes the gradients of the model's mean squared error by the chain rule, in NumPy.

    Args:
      weights: kernel [features, hidden], bias [hidden], kernel [hidden, outputs], bias [outputs].
      x: the inputs, of shape [rows, features].
      labels: the labels, of shape [rows, outputs].

    Returns:
      The gradients of the weights, each of the shape of its weight.
    """
    k1, b1, k2, b2 = weights
    h = np.maximum(x @ k1 + b1, 0)
    dp = 2 * (h @ k2 + b2 - labels) / labels.size
    dh = (dp @ k2.T) * (h > 0)
    return [x.T @ dh, dh.sum(0), h.T @ dp, dp.sum(0)]


def _show_check(check: Check, out: TextIO) -> bool:
    def text(value: Any) -> str:
        value = np.asarray(value, np.float64)
        if value.size > 3:
            return f"|g| = {np.linalg.norm(value):.6f}"
        return str(value.round(4).tolist() if value.ndim else round(float(value), 4))

    print(
        f"  {check.what:<42} {text(check.found):<18} by hand {text(check.by_hand):<18} {check.formula:<12} "
        f"{'ok' if check.right else 'WRONG'}",
        file=out,
    )
    return check.right


# The same training step twice


def _data() -> list[tuple[np.ndarray, np.ndarray]]:
    """Makes batches: normally distributed inputs, and labels that a small network computes from them, with noise."""
    normal = np.random.default_rng(0).standard_normal
    x = normal((BATCHES * BATCH, FEATURES))
    labels = np.maximum(x @ normal((FEATURES, 4)), 0) @ normal((4, OUTPUTS))
    labels += 0.1 * normal(labels.shape)
    return [
        (a.astype(np.float32), b.astype(np.float32))
        for a, b in zip(np.split(x, BATCHES), np.split(labels, BATCHES), strict=True)
    ]


def _model(tf: Any) -> Any:
    return tf.keras.models.Sequential(
        [
            tf.keras.layers.Dense(units=HIDDEN, activation="relu", input_shape=(FEATURES,)),
            tf.keras.layers.Dense(units=OUTPUTS),
        ]
    )


def tapejax_step(tf: Any, batches: Batches) -> tuple[Any, Step]:
    """Makes the model and its training step, written as in TensorFlow, without a decorator."""
    model = _model(tf)
    loss_function = tf.keras.losses.MeanSquaredError()
    optimizer = tf.keras.optimizers.Adam(learning_rate=LEARNING_RATE)
    data = [(tf.constant(x), tf.constant(labels)) for x, labels in batches]

    def step(i: int) -> float:
        x, labels = data[i % len(data)]
        with tf.GradientTape() as tape:
            predictions = model(x)
            loss = loss_function(labels, predictions)
        grads = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(grads, model.trainable_variables, strict=True))
        return float(loss)

    return model, step


def jax_step(jax: Any, weights: Sequence[np.ndarray], batches: Batches) -> Step:
    """Makes the same step as a JAX user writes it for speed: one jitted call to which all state is donated."""
    jnp = jax.numpy

    def loss_of(weights: Any, x: Any, labels: Any) -> Any:
        k1, b1, k2, b2 = weights
        return jnp.mean((jax.nn.relu(x @ k1 + b1) @ k2 + b2 - labels) ** 2)

    def update(weights: Any, m: Any, v: Any, t: Any, x: Any, labels: Any) -> Any:
        loss, grads = jax.value_and_grad(loss_of)(weights, x, labels)
        t = t + 1
        # TensorFlow's Adam adds epsilon outside the bias correction.
        rate = LEARNING_RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m = [0.9 * a + 0.1 * g for a, g in zip(m, grads, strict=True)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(v, grads, strict=True)]
        weights = [w - rate * a / (jnp.sqrt(b) + 1e-7) for w, a, b in zip(weights, m, v, strict=True)]
        return weights, m, v, t, loss

    update = jax.jit(update, donate_argnums=(0, 1, 2, 3))
    # Each array gets a buffer of its own, because two donated arguments must not share one.
    state = (
        [jnp.array(w) for w in weights],
        [jnp.zeros_like(w) for w in weights],
        [jnp.zeros_like(w) for w in weights],
        jnp.zeros((), jnp.float32),
    )
    data = [(jnp.asarray(x), jnp.asarray(labels)) for x, labels in batches]

    def step(i: int) -> float:
        nonlocal state
        *state, loss = update(*state, *data[i % len(data)])
        return float(loss)

    return step


# Measuring


class Result(NamedTuple):
    """What `race` measured. In pairs the first value is tapejax's and the second plain JAX's.

    Attributes:
      losses: tapejax's loss at each step.
      reference_losses: plain JAX's loss at each step.
      first: seconds of the first step.
      seconds: median seconds of the later steps.
      ratio: how many times as long tapejax takes per step, the median over the slices.
    """

    losses: list[float]
    reference_losses: list[float]
    first: tuple[float, float]
    seconds: tuple[float, float]
    ratio: float


def race(step: Step, reference: Step, steps: int, progress: Callable[[int, float], None] | None = None) -> Result:
    """Times two training loops that take turns, a slice of steps each, so that other load on the machine slows both.

    Args:
      step: a function of the number of the step that does one training step and returns the loss.
      reference: the same for the loop that `step` is compared with.
      steps: how many steps each loop runs.
      progress: called after each slice with the number of steps done and the latest loss.
    """
    both = (step, reference)
    losses: tuple[list[float], list[float]] = ([], [])
    times: tuple[list[list[float]], list[list[float]]] = ([], [])
    for start in range(0, steps, SLICE):
        # The second of two runs may profit from warm caches or suffer from a hot processor, so the order alternates.
        for side in (0, 1) if start // SLICE % 2 == 0 else (1, 0):
            taken = []
            for i in range(start, min(start + SLICE, steps)):
                began = time.perf_counter()
                losses[side].append(both[side](i))
                taken.append(time.perf_counter() - began)
            times[side].append(taken)
        if progress is not None:
            progress(len(losses[0]), losses[0][-1])
    first = (times[0][0][0], times[1][0][0])
    # The first slice includes compilation. It counts only if there is no other slice.
    warm = [[statistics.median(t) for t in side[1:] or side] for side in times]
    ratio = statistics.median(a / b for a, b in zip(*warm, strict=True))
    return Result(*losses, first, (statistics.median(warm[0]), statistics.median(warm[1])), ratio)


def _timing(result: Result) -> str:
    rows = [("", "first step", "later steps (median)")]
    for name, first, later in zip(
        ("tapejax, as in TensorFlow", "hand-written jax.jit"), result.first, result.seconds, strict=True
    ):
        rows.append((name, f"{first * 1e3:.0f} ms", f"{later * 1e3:.3f} ms"))
    lines = [f"  {name:<28}{first:>12}{later:>24}" for name, first, later in rows]
    lines.append(f"  tapejax takes {result.ratio:.1f} times as long per step (median over slices of steps)")
    return "\n".join(lines)


class Progress:
    """Shows progress: in a terminal one line that is rewritten, in a file or pipe four lines.

    Args:
      steps: the number of steps in all.
      out: the stream to write to.
    """

    def __init__(self, steps: int, out: TextIO):
        self.steps = steps
        self.out = out
        self.live = out.isatty()
        self.shown = 0
        self.began = time.perf_counter()

    def __call__(self, done: int, loss: float) -> None:
        """Shows that `done` steps are done, and the latest loss."""
        text = f"  step {done:>{len(str(self.steps))}}/{self.steps}  loss {loss:<10.4g}"
        if self.live:
            width = 30
            bar = "#" * (width * done // self.steps)
            rate = done / (time.perf_counter() - self.began)
            self.out.write(f"\r{text} [{bar:.<{width}}] {rate:6.0f} steps/s")
            if done >= self.steps:
                self.out.write("\n\n")
        elif 4 * done // self.steps > self.shown:
            self.shown = 4 * done // self.steps
            self.out.write(text.rstrip() + ("\n\n" if done >= self.steps else "\n"))
        self.out.flush()


# Drawing


def draw(values: Sequence[float], width: int = 60, height: int = 10, encoding: str | None = "utf-8") -> list[str]:
    """Draws a curve as text, with braille characters, each of which has two by four dots.

    The axis is logarithmic if all values are positive.

    Args:
      values: one number per step. Numbers that are not finite are left out.
      width: the number of characters in a line, without the axis.
      height: the number of lines.
      encoding: the encoding of the output. If it has no braille characters, the curve is drawn with stars.

    Returns:
      The lines of text.

    >>> print("\\n".join(draw([8.0, 4.0, 2.0, 1.0], width=4, height=2)))
            8 ┤⠑⢄
            1 ┤  ⠑⢄
    """
    points = [(i, v) for i, v in enumerate(values) if math.isfinite(v)]
    if not points:
        return ["(no finite value)"]
    scale: Callable[[float], float] = math.log if all(v > 0 for _, v in points) else float
    low, high = min(v for _, v in points), max(v for _, v in points)
    bottom, span = scale(low), scale(high) - scale(low) or 1.0
    rows, columns = 4 * height, 2 * width
    cells = [[0] * width for _ in range(height)]
    # With more steps than columns, a column shows the mean of its steps. With fewer, the columns between two steps show
    # the straight line between them.
    xs = [i * (columns - 1) / max(len(values) - 1, 1) for i, _ in points]
    ys = [scale(v) for _, v in points]
    if len(xs) > columns:
        groups: dict[int, list[float]] = {}
        for x, y in zip(xs, ys, strict=True):
            groups.setdefault(round(x), []).append(y)
        xs, ys = list(groups), [statistics.mean(g) for g in groups.values()]
    before = None
    for column in range(columns):
        y = float(np.interp(column, xs, ys))
        row = round((rows - 1) * (1 - (y - bottom) / span))
        # A jump is drawn as a vertical line.
        for dot in _between(before, row):
            cells[dot // 4][column // 2] |= _DOTS[dot % 4][column % 2]
        before = row
    try:
        "\u2801\u2524".encode(encoding or "ascii")
        axis, character = "\u2524", lambda bits: chr(0x2800 + bits) if bits else " "
    except (UnicodeEncodeError, LookupError):
        axis, character = "|", lambda bits: "*" if bits else " "
    lines = []
    for i, line in enumerate(cells):
        label = f"{high:.3g}" if i == 0 else f"{low:.3g}" if i == height - 1 else ""
        lines.append(f"{label:>9} {axis}" + "".join(map(character, line)).rstrip())
    return lines


def _between(before: int | None, row: int) -> range:
    """The rows from `before`, which is left out, to `row`."""
    if before is None or before == row:
        return range(row, row + 1)
    return range(before + 1, row + 1) if before < row else range(row, before)
