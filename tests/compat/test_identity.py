"""Where tapejax stands for TensorFlow, its classes say so, and libraries for several frameworks take its tensors.

Each test runs in a process of its own, since real TensorFlow may be loaded in this one.
"""

import importlib.util
import pickle
import subprocess
import sys
import textwrap

import pytest

import tapejax
from tapejax._src.compat import identity

_START = "import tapejax; tapejax.install_as_tensorflow()\nimport tensorflow as tf, numpy as np, pickle\n"


def output(code, *needs):
    for name in needs:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed; `pip install {name}` to run this test")
    done = subprocess.run(
        [sys.executable, "-c", _START + textwrap.dedent(code)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_classes_have_tensorflows_modules(tf):
    values = "tf.constant(1.), tf.Variable(1.), tf.float32, tf.TensorShape([1]), tf.TensorSpec([1]), tf.Module(), \
        tf.GradientTape(), tf.ragged.constant([[1]]), tf.sparse.from_dense([[1]])"
    shown = output(f"for x in ({values}): print(type(x).__module__, type(x).__name__)").split("\n")[:-1]
    real = [f"{type(x).__module__} {type(x).__name__}" for x in eval(values, {"tf": tf})]
    assert shown == real


def test_pickles_of_values_and_classes():
    assert output(
        """
        for x in (tf.constant(1.), tf.Variable(1.), tf.float32, tf.TensorShape([1, None]), tf.TensorSpec([None]),
                  tf.Module(), tf.ragged.constant([[1], [2, 3]]), tf.sparse.from_dense([[1]])):
            assert type(pickle.loads(pickle.dumps(x))) is type(x), x
        for c in (tf.Tensor, tf.Variable, tf.DType, tf.TensorShape, tf.TensorSpec, tf.Module, tf.GradientTape):
            assert pickle.loads(pickle.dumps(c)) is c, c
        print("done")
        """
    )


def test_pickles_are_read_without_the_alias():
    values = "[tf.constant([1., 2.]), tf.Variable([3.], name='w', trainable=False), tf.TensorShape([1, None]), tf.int8]"
    text = output(f"print(pickle.dumps({values}).hex())")
    tensor, variable, shape, dtype = pickle.loads(bytes.fromhex(text.strip()))
    assert isinstance(tensor, tapejax.Tensor)
    assert tensor.numpy().tolist() == [1, 2]
    assert isinstance(variable, tapejax.Variable)
    assert (variable.name, variable.trainable, variable.numpy().tolist()) == ("w:0", False, [3])
    assert (shape, dtype) == (tapejax.TensorShape([1, None]), tapejax.int8)


def test_the_answers_are_given_back():
    before = (tapejax.Tensor.__module__, tapejax.Tensor.__name__, tapejax.Tensor.__qualname__)
    identity.answer_as_tensorflow()
    try:
        assert tapejax.Tensor.__name__ == "EagerTensor"
    finally:
        identity.answer_as_tapejax()
    assert (tapejax.Tensor.__module__, tapejax.Tensor.__name__, tapejax.Tensor.__qualname__) == before


def test_captured_functions_make_objects_of_the_classes():
    assert (
        output(
            """
            class Net(tf.Module):
                def __init__(self):
                    self.w = tf.Variable([2.0])
                @tf.function
                def __call__(self, x):
                    with tf.GradientTape() as tape:
                        tape.watch(x)
                        y = tf.reduce_sum(self.w * x) + 1.0
                    return y, tape.gradient(y, x), tf.TensorShape([1]).rank
            y, g, n = Net()(tf.constant([3.0]))
            print(float(y), g.numpy().tolist(), int(n))
            """
        )
        == "7.0 [2.0] 1\n"
    )


def test_einops():
    assert output(
        """
        import einops
        from einops.layers.tensorflow import Rearrange, Reduce
        x = tf.reshape(tf.range(6.0), [2, 3])
        assert einops.rearrange(x, "a b -> (b a)").numpy().tolist() == [0, 3, 1, 4, 2, 5]
        assert einops.reduce(x, "a b -> a", "sum").numpy().tolist() == [3, 12]
        assert einops.repeat(x, "a b -> a b c", c=2).shape == (2, 3, 2)
        assert einops.einsum(x, x, "a b, c b -> a c").numpy().tolist() == [[5, 14], [14, 50]]
        assert Rearrange("a b -> b a")(x).shape == (3, 2)
        assert Reduce("a b -> b", "max")(x).numpy().tolist() == [3, 4, 5]
        print("done")
        """,
        "einops",
    )


def test_autoray_and_opt_einsum():
    assert output(
        """
        import autoray, opt_einsum
        x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
        assert autoray.infer_backend(x) == autoray.infer_backend(tf.Variable(1.0)) == "tensorflow"
        np.testing.assert_allclose(autoray.do("sin", x), np.sin(x))
        np.testing.assert_allclose(autoray.do("tensordot", x, x, 1), np.dot(x, x))
        np.testing.assert_allclose(autoray.do("linalg.svd", x)[1], np.linalg.svd(x)[1], rtol=1e-5)
        assert autoray.to_numpy(x).tolist() == [[1, 2], [3, 4]]
        np.testing.assert_allclose(opt_einsum.contract("ij,jk,kl", x, x, x), x.numpy() @ x.numpy() @ x.numpy())
        print("done")
        """,
        "autoray",
        "opt_einsum",
    )


def test_scipy_minimizes_a_function_of_tensors():
    assert output(
        """
        from scipy.optimize import minimize
        def value_and_gradient(p):
            x = tf.constant(p)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tf.reduce_sum((x - [1.0, 2.0]) ** 2)
            return y, tape.gradient(y, x)
        found = minimize(value_and_gradient, np.zeros(2), jac=True)
        np.testing.assert_allclose(found.x, [1, 2], atol=1e-5)
        print("done")
        """,
        "scipy",
    )


def test_pandas_and_scikit_learn_take_tensors():
    assert output(
        """
        import pandas
        from sklearn.utils import check_array
        x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
        assert pandas.DataFrame(x.numpy()).sum().tolist() == [4, 6]
        assert pandas.Series(x[0]).tolist() == [1, 2]
        assert check_array(x).tolist() == [[1, 2], [3, 4]]
        print("done")
        """,
        "pandas",
        "sklearn",
    )
