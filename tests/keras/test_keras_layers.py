"""Layers and models against Keras: the same weights from a seed, names, outputs, training flags."""

import numpy as np
import pytest

import tapejax as ours

X = np.random.RandomState(0).randn(4, 5).astype(np.float32)
INITIALIZERS = ["RandomNormal", "RandomUniform", "TruncatedNormal", "GlorotUniform", "GlorotNormal", "HeNormal",
                "HeUniform", "LecunNormal", "LecunUniform"]  # fmt: skip


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializers(tf, name):
    for shape in [(3, 4), (2, 2, 3, 5), (6,)]:
        mine, theirs = (getattr(t.keras.initializers, name)(seed=2**31 + 5)(shape).numpy() for t in (ours, tf))
        np.testing.assert_array_equal(mine, theirs)


def build(t):
    t.keras.utils.set_random_seed(7)
    t.keras.backend.clear_session()
    layers = t.keras.layers
    return t.keras.models.Sequential(
        [
            layers.Input((5,)),
            layers.Dense(8, activation="relu", name="first"),
            layers.Dropout(0.5),
            layers.Dense(3, use_bias=False, kernel_initializer="he_normal"),
            layers.Activation("softmax"),
        ]
    )


def test_sequential_is_keras_s_from_the_same_seed(tf):
    mine, theirs = build(ours), build(tf)
    assert [w.path for w in mine.weights] == [w.path for w in theirs.weights]
    assert [layer.name for layer in mine.layers] == [layer.name for layer in theirs.layers]
    for a, b in zip(mine.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    for training in (False, True, True):
        np.testing.assert_allclose(
            mine(X, training=training).numpy(), theirs(X, training=training).numpy(), rtol=1e-5, atol=1e-6
        )


def subclassed(t):
    t.keras.backend.clear_session()

    class Block(t.keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
            self.kept = self.add_weight(shape=(2,), initializer="zeros", trainable=False)
            self.denses = [t.keras.layers.Dense(4), t.keras.layers.Dense(2)]

        def build(self, input_shape):
            self.late = self.add_weight(shape=(input_shape[-1],), initializer="zeros")

        def call(self, x, training=None):
            if type(x) is type(t.constant(X)):  # Keras runs `call` once more, on a KerasTensor, to infer shapes
                seen.append(training)
            x = x + self.late
            for dense in self.denses:
                x = dense(x)
            return x * self.scale

    class Net(t.keras.Model):
        def __init__(self):
            super().__init__()
            self.block = Block()
            self.out = t.keras.layers.Dense(1)

        def call(self, x):
            return self.out(self.block(x))

    seen = []
    net = Net()
    net(t.constant(X))
    net(t.constant(X), training=True)
    return net, seen


def test_subclassed_models_track_and_name_as_keras(tf):
    (mine, seen), (theirs, reference) = subclassed(ours), subclassed(tf)
    for what in ("weights", "trainable_variables", "non_trainable_variables"):
        assert [v.path for v in getattr(mine, what)] == [v.path for v in getattr(theirs, what)]
    assert seen == reference
    mine.block.trainable = theirs.block.trainable = False
    assert [v.path for v in mine.trainable_variables] == [v.path for v in theirs.trainable_variables]


def test_layers_need_no_build_and_take_other_dtypes(tf):
    for x in (X.astype(np.float64), np.ones((2, 5), np.int32)):
        mine, theirs = (t.keras.layers.Dense(3, kernel_initializer="ones")(t.constant(x)) for t in (ours, tf))
        assert mine.dtype.name == theirs.dtype.name
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)
    for shape in [(2,), (2, 3, 4)]:
        mine, theirs = (t.keras.layers.Flatten()(np.ones(shape, np.float32)).shape.as_list() for t in (ours, tf))
        assert mine == theirs


def test_a_training_loop_follows_keras(tf):
    losses = []
    for t in (ours, tf):
        t.keras.utils.set_random_seed(1)
        model = t.keras.Sequential(
            [t.keras.layers.Dense(10, activation="tanh", input_shape=(5,)), t.keras.layers.Dense(2)]
        )
        optimizer, loss_fn = t.keras.optimizers.Adam(0.01), t.keras.losses.MeanSquaredError()
        for _ in range(20):
            with t.GradientTape() as tape:
                loss = loss_fn(X[:, :2], model(X))
            grads = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(grads, model.trainable_variables, strict=True))
            losses.append(float(loss))
    np.testing.assert_allclose(losses[:20], losses[20:], rtol=1e-4)


def test_errors():
    layers = ours.keras.layers
    with pytest.raises(ValueError, match="units"):
        layers.Dense(-1)
    with pytest.raises(ValueError, match="foo"):
        layers.Dense(2, foo=1)
    with pytest.raises(ValueError, match="activation"):
        layers.Dense(2, activation="x")
    dense = layers.Dense(2)
    dense.build((None, 4))
    with pytest.raises(ValueError, match="incompatible"):
        dense(X)
    with pytest.raises(ours.errors.UnsupportedError):
        dense(layers.Input((4,)))
    with pytest.raises(ValueError, match="unique"):
        ours.keras.Sequential([layers.Dense(2, name="a"), layers.Dense(2, name="a")])
