"""`python -m benchmarks ops`: which cases are chosen, what is run, what is written."""

import json

import numpy as np
import pytest

import tapejax
from benchmarks import ops
from benchmarks.cli import main
from benchmarks.op_cases import OpCase, op_cases


def test_names_are_unique_and_select_families_or_beginnings():
    names = [case.name for cases in op_cases().values() for case in cases]
    assert len(set(names)) == len(names) >= 60
    assert {family for family, _ in ops.selected(["pools"])} == {"pools"}
    assert [case.name for _, case in ops.selected(["max_pool2d 2x2"])] == ["max_pool2d 2x2/2"]


def test_a_case_runs_with_its_gradients_by_floating_inputs():
    arrays = (np.float32([1, 2]), np.float32([3, 4]), np.int32([1, 1]))
    case = OpCase("product", lambda tf, x, y, i: x * y * tf.cast(i, x.dtype), lambda: arrays)
    value, by_x, by_y = ops.runnable(tapejax, case, arrays, gradient=True, compiled=False)()
    np.testing.assert_allclose(value, [3, 8])
    np.testing.assert_allclose(by_x * arrays[0], by_y * arrays[1])
    bad = OpCase("bad", lambda tf, x: x.nothing, lambda: arrays[:1])
    assert "AttributeError" in ops.measure(bad, {"tapejax": tapejax}, 1, 0.0)["failed"]


def test_the_command_writes_ratios(tf, tmp_path, capsys):
    path = tmp_path / "ops.json"
    assert main(["ops", "reduce_sum None", "--repeats", "1", "--slice", "0.001", "--json", str(path)]) == 0
    document = json.loads(path.read_text())
    entry = document["ops"]["reductions"]["reduce_sum None"]
    assert entry["gradient"]["ratio"] == pytest.approx(document["geometric_means"]["gradient"])
    assert "reduce_sum None" in capsys.readouterr().out
