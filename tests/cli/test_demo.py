"""`tapejax demo`: its checks notice what is wrong, its race is fair, its curve is the curve."""

import io
import re
import sys

import numpy as np
import pytest

import tapejax
from tapejax.cli import demo
from tapejax.cli import main as command


class Pipe(io.StringIO):
    """Collects output, and can show any character."""

    encoding = "utf-8"


@pytest.fixture(scope="module")
def quick():
    """Status and output of one quick run by the command line's own entry."""
    out = Pipe()
    real, sys.stdout = sys.stdout, out
    try:
        status = command.main(["demo", "--quick"])
    finally:
        sys.stdout = real
    return status, out.getvalue()


def test_the_demo_succeeds_and_every_gradient_is_the_hand_derived_one(quick):
    status, printed = quick
    assert status == 0
    checks = [line for line in printed.splitlines() if " by hand " in line]
    assert len(checks) == 7 and all(line.endswith(" ok") for line in checks)
    assert re.search(r"d/dx .*\b8\.0 +by hand 8\.0", checks[0])
    assert re.search(r"d/dy +0\.0 +by hand 0\.0", checks[1])


def test_the_demo_times_both_sides_and_draws_a_falling_loss(quick):
    _, printed = quick
    ours, reference = (
        re.search(rf"{name} +(\d+) ms +([\d.]+) ms", printed)
        for name in ("tapejax, as in TensorFlow", "hand-written jax.jit")
    )
    assert float(ours[2]) > 0 and float(reference[2]) > 0
    assert float(re.search(r"tapejax takes ([\d.]+) times as long", printed)[1]) > 0
    first, last = re.search(r"Loss, mean of the last 8 steps: ([\d.]+) to ([\d.]+)\n", printed).groups()
    assert float(last) < float(first)
    assert sum("\u2524" in line for line in printed.splitlines()) == 10


def test_a_pipe_gets_four_progress_lines(quick):
    _, printed = quick
    assert re.findall(r"step (\d\d)/60  loss", printed) == ["20", "30", "50", "60"]
    assert "\r" not in printed


def test_a_terminal_gets_one_line_that_is_rewritten():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    progress = demo.Progress(40, out)
    for done in (10, 20, 30, 40):
        progress(done, 1 / done)
    lines = out.getvalue().split("\r")[1:]
    assert [re.search(r"step (\d+)/40", line)[1] for line in lines] == ["10", "20", "30", "40"]
    assert [line.count("#") for line in lines] == [7, 15, 22, 30]
    assert out.getvalue().count("\n") == 2 and out.getvalue().endswith("\n\n")


def test_a_wrong_gradient_is_called_wrong_and_fails_the_demo(monkeypatch, capsys):
    right = demo.backpropagate

    def off(*args):
        k1, b1, k2, b2 = right(*args)
        return [k1, b1, k2 * 1.001, b2]

    monkeypatch.setattr(demo, "backpropagate", off)
    assert demo.main(["--steps", "10"]) == 1
    printed = capsys.readouterr()
    assert [line.split()[-1] for line in printed.out.splitlines() if " by hand " in line] == [
        "ok",
        "ok",
        "ok",
        "ok",
        "WRONG",
        "ok",
        "ok",
    ]
    assert "a gradient is not what it must be" in printed.err


def test_losses_that_differ_from_plain_jax_fail_the_demo(monkeypatch, capsys):
    right = demo.jax_step

    def off(*args):
        step = right(*args)
        return lambda i: step(i) * 1.05

    monkeypatch.setattr(demo, "jax_step", off)
    assert demo.main(["--steps", "10"]) == 1
    assert "the losses are not those of plain JAX" in capsys.readouterr().err


def test_both_sides_of_the_race_train_the_same_model():
    import jax

    batches = demo._data()
    model, step = demo.tapejax_step(tapejax, batches)
    reference = demo.jax_step(jax, [np.array(v) for v in model.trainable_variables], batches)
    result = demo.race(step, reference, 40)
    np.testing.assert_allclose(result.losses, result.reference_losses, rtol=1e-4)
    assert result.losses[-1] < result.losses[0]


def test_the_race_runs_both_in_slices_and_takes_turns():
    ran = []

    def runner(name, sign):
        def step(i):
            ran.append(name)
            return sign * float(i)

        return step

    result = demo.race(runner("a", 1), runner("b", -1), 25)
    size = demo.SLICE
    assert ran == ["a"] * size + ["b"] * 2 * size + ["a"] * (size + 5) + ["b"] * 5
    assert result.losses == [float(i) for i in range(25)]
    assert result.reference_losses == [-float(i) for i in range(25)]


@pytest.mark.parametrize("words", [["--steps", "9"], ["--steps", "0"], ["--steps", "x"], ["--stepz", "20"]])
def test_bad_options_are_refused_before_anything_runs(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        demo.main(words)
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == "" and words[0][:6] in printed.err


def test_the_curve_of_halving_values_is_a_straight_line_on_its_logarithmic_axis():
    lines = demo.draw([2.0**-i for i in range(40)], width=10, height=5)
    assert lines[0].split(" \u2524")[0].strip() == "1" and lines[-1].split(" \u2524")[0].strip() == "1.82e-12"
    # 20 dots across, 20 down: the diagonal, so each line has two characters, one further right than the last.
    cells = [line.split("\u2524")[1] for line in lines]
    assert [len(c) - len(c.lstrip()) for c in cells] == [0, 2, 4, 6, 8]
    assert [len(c.strip()) for c in cells] == [2] * 5


def test_curves_with_nothing_odd_to_divide_by():
    assert demo.draw([float("nan")]) == ["(no finite value)"]
    flat = demo.draw([3.0, 3.0, float("inf"), 3.0], width=4, height=3)
    assert len(flat) == 3 and flat[-1].endswith("\u28c0" * 4) and flat[0].endswith("\u2524")
    assert len(demo.draw([-1.0, 0.0, 2.0], width=5, height=2)) == 2


def test_an_output_without_braille_gets_stars():
    lines = demo.draw([8.0, 4.0, 2.0, 1.0], width=8, height=4, encoding="ascii")
    "\n".join(lines).encode("ascii")
    assert lines[0].startswith("        8 |*") and lines[-1].rstrip().endswith("*")
