"""Keras 2's spellings that Keras 3 dropped: they work, and give one hint each. The tables say all of them."""

import importlib
import warnings

import numpy as np
import pytest

import tapejax
from tapejax._src.keras import keras2
from tapejax.cli import symbols

layers, optimizers = tapejax.keras.layers, tapejax.keras.optimizers


@pytest.fixture(autouse=True)
def hints_anew(monkeypatch):
    monkeypatch.setattr(keras2, "_hinted", set())
    for name in ("legacy_optimizers", "experimental_optimizers", "experimental_layers"):
        vars(keras2).pop(name, None)
    for module, name in ((optimizers, "legacy"), (optimizers, "experimental"), (layers, "experimental")):
        vars(module).pop(name, None)


@pytest.fixture
def hint(recwarn):
    """Asserts that exactly these spellings were hinted at, from this file."""

    def check(*old):
        assert [str(w.message).split("`")[1] for w in recwarn.list] == list(old)
        assert all(w.filename == __file__ for w in recwarn.list)
        recwarn.clear()

    return check


def test_initial_weights_of_any_layer(hint):
    values = [np.full((3, 2), 2.0, np.float32), np.ones(2, np.float32)]
    layer = layers.Dense(2, weights=values)
    assert layer(tapejax.ones((1, 3))).numpy().tolist() == [[7.0, 7.0]]
    assert [v.path for v in layer.weights] == [f"{layer.name}/kernel", f"{layer.name}/bias"]
    model = tapejax.keras.Sequential([layers.Dense(2, weights=values, input_shape=(3,))])
    assert model.get_weights()[0].tolist() == values[0].tolist()
    hint("weights=")
    with pytest.raises(ValueError, match="weight"):
        layers.Dense(2, weights=values[:1])(tapejax.ones((1, 3)))


def test_shapes_of_inputs(hint):
    assert tapejax.keras.Input(2).shape == (None, 2)
    assert tapejax.keras.Sequential([layers.Dense(2, batch_input_shape=(4, 3))]).built
    layers.Dense(1, dynamic=True)
    hint("Input(n)", "batch_input_shape=", "dynamic=")


def test_add_weight_with_the_name_first(hint):
    class Mine(layers.Layer):
        def __init__(self):
            super().__init__()
            self.a = self.add_weight("a", shape=[2], initializer="ones")
            self.b = self.add_weight("b", (3,), "float64", "zeros", None, False)
            self.c = self.add_variable("c", [1])

    mine = Mine()
    assert [(v.name, v.shape.as_list(), v.dtype.name, v.trainable) for v in mine.weights] == [
        ("a", [2], "float32", True),
        ("c", [1], "float32", True),
        ("b", [3], "float64", False),
    ]
    hint("add_weight(name, ...)")
    assert mine.add_weight((2,), "ones", name="d").numpy().tolist() == [1.0, 1.0]
    hint()


def test_a_loss_reduction_of_auto(hint):
    loss = tapejax.keras.losses.MeanSquaredError(reduction=tapejax.keras.losses.Reduction.AUTO)
    assert float(loss([[1.0], [1.0]], [[3.0], [1.0]])) == 2.0
    hint("reduction='auto'")


@pytest.mark.parametrize("name", keras2.NAMES)
@pytest.mark.filterwarnings("ignore:.*is a spelling of Keras 2")
def test_every_old_symbol_of_the_table_is_there(name):
    symbols.find.cache_clear()
    assert symbols.find(name).missing == ""


def test_old_namespaces(hint):
    assert layers.experimental.preprocessing.Dense is layers.Dense
    hint("tf.keras.layers.experimental", "tf.keras.layers.experimental.preprocessing")


def test_a_hint_comes_once_and_can_be_an_error(hint):
    tapejax.keras.Input(2), tapejax.keras.Input(3)
    hint("Input(n)")
    keras2._hinted.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=r"Keras 3: Input\(\(n,\)\)"):
            tapejax.keras.Input(2)


def test_renamed_methods_call_the_new_one(hint):
    class Metric:
        def reset_state(self):
            return "reset"

        reset_states = keras2.renamed("reset_states", "reset_state")

    assert Metric().reset_states() == "reset" == Metric().reset_states()
    hint("reset_states()")


# Optimizers, against Keras 2's own, which TensorFlow still carries inside


def legacy(name):
    module = {
        "Adam": "adam",
        "SGD": "gradient_descent",
        "Adagrad": "adagrad",
        "Adadelta": "adadelta",
        "Adamax": "adamax",
        "Ftrl": "ftrl",
    }[name]
    return getattr(importlib.import_module(f"tensorflow.python.keras.optimizer_v2.{module}"), name)


def trained(framework, optimizer, steps=4):
    variable = framework.Variable([1.0, 2.0])
    for i in range(steps):
        optimizer.apply_gradients([(framework.constant([1.0 + i, -0.5]), variable)])
    return variable.numpy()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Adam", {"lr": 0.1, "beta_1": 0.9, "beta_2": 0.999, "epsilon": None, "decay": 0.3, "amsgrad": False}),
        ("SGD", {"lr": 0.1, "decay": 0.5, "momentum": 0.9}),
        ("Adagrad", {"lr": 0.1, "decay": 0.0}),
    ],
)
@pytest.mark.filterwarnings("ignore:The `lr` argument is deprecated")
def test_arguments_of_old_optimizers_mean_what_they_meant(tf, name, arguments, hint):
    ours = getattr(optimizers, name)(**arguments)
    value = trained(tapejax, ours)
    assert float(ours.lr) == pytest.approx(0.1)
    hint("lr=", "decay=", *["epsilon=None"] * ("epsilon" in arguments))
    np.testing.assert_allclose(value, trained(tf, legacy(name)(**arguments)), rtol=1e-5)


@pytest.mark.filterwarnings("ignore:.*is a spelling of Keras 2")
@pytest.mark.parametrize("name", [n for n in keras2.LEGACY_OPTIMIZERS if n != "Optimizer"])
def test_legacy_optimizers_have_the_legacy_formula(tf, name):
    ours = getattr(optimizers.legacy, name)(0.1)
    np.testing.assert_allclose(trained(tapejax, ours), trained(tf, legacy(name)(0.1)), rtol=1e-5)


@pytest.mark.filterwarnings("ignore:.*is a spelling of Keras 2")
@pytest.mark.parametrize("name", ["RMSprop", "Nadam"])
def test_legacy_optimizers_of_another_formula_are_missing_and_say_so(name):
    with pytest.raises(AttributeError, match=f"legacy.{name} had another formula than Keras 3's"):
        getattr(optimizers.legacy, name)
    assert optimizers.experimental.RMSprop is optimizers.RMSprop


def test_weights_of_an_optimizer(tf, hint):
    ours, theirs = optimizers.Adam(0.1), legacy("Adam")(0.1)
    trained(tapejax, ours), trained(tf, theirs)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4)
    kept = ours.get_weights()
    ours.apply_gradients(
        zip([tapejax.constant([1.0, 1.0])], ours._trained, strict=True), experimental_aggregate_gradients=False
    )
    assert ours.get_weights()[0] == 5
    ours.set_weights(kept)
    assert ours.get_weights()[0] == 4
    with pytest.raises(ValueError, match="expecting 3 weights"):
        ours.set_weights(kept[:1])
    hint("optimizer.weights", "experimental_aggregate_gradients=")
