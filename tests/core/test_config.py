"""`tf.config` against real TensorFlow where both see one CPU, and what it refuses to pretend."""

import jax
import pytest
from support import harness
from support.harness import raises

import tapejax

ROWS = [
    lambda tf: tf.config.list_physical_devices("CPU")[0].device_type,
    lambda tf: tf.config.list_physical_devices("GPU"),
    lambda tf: tf.config.list_logical_devices("CPU")[0].name,
    lambda tf: tf.config.get_visible_devices("CPU")[0].name,
    lambda tf: tf.config.get_visible_devices("GPU"),
    lambda tf: tf.config.set_visible_devices([], "GPU"),
    raises(ValueError, lambda tf: tf.config.set_visible_devices([1], "GPU")),
    raises(ValueError, lambda tf: tf.config.set_visible_devices(tf.config.list_physical_devices("CPU"), "GPU")),
    lambda tf: tf.config.get_soft_device_placement(),
    lambda tf: tf.config.LogicalDeviceConfiguration().memory_limit,
    lambda tf: tf.config.experimental.VirtualDeviceConfiguration(memory_limit=5).memory_limit,
    lambda tf: tf.config.get_logical_device_configuration(tf.config.list_physical_devices("CPU")[0]),
    raises(ValueError, lambda tf: tf.config.set_logical_device_configuration("CPU", [])),
    lambda tf: tf.config.experimental.get_device_details(tf.config.get_visible_devices()[0]),
    lambda tf: tf.config.experimental.tensor_float_32_execution_enabled(),
    lambda tf: tf.config.threading.get_inter_op_parallelism_threads(),
    lambda tf: tf.config.threading.get_intra_op_parallelism_threads(),
    lambda tf: tf.config.optimizer.get_jit(),
    lambda tf: tf.config.optimizer.get_experimental_options()["disable_meta_optimizer"],
]

ROWS += [
    lambda tf: tf.test.gpu_device_name(),
    lambda tf: tf.test.is_built_with_gpu_support(),
    lambda tf: tf.test.is_built_with_xla(),
    lambda tf, v: list(
        map(
            list,
            tf.test.compute_gradient(lambda a, c: tf.sin(a) * c[0] + c[1], [v, tf.constant([2.0, 3.0])], delta=0.01),
        )
    ),
    lambda tf, m: list(tf.test.compute_gradient(lambda a: tf.reduce_sum(a * a), [m])[0]),
    raises(ValueError, lambda tf, x: tf.test.compute_gradient(lambda a: a, x)[0]),
    raises(AssertionError, lambda tf, i: tf.test.compute_gradient(lambda a: a, [i])),
    lambda tf: tf.types.experimental.TensorLike.__args__[2] in (int, float),
]

test_as_tensorflow = harness.test_of(ROWS)


def test_settings_are_kept():
    config = tapejax.config
    config.set_soft_device_placement(False)
    assert not config.get_soft_device_placement()
    config.set_soft_device_placement(True)
    config.optimizer.set_jit(True)
    assert config.optimizer.get_jit() == "autoclustering"
    config.optimizer.set_experimental_options({"constant_folding": True})
    assert config.optimizer.get_experimental_options()["constant_folding"]
    cpu = config.list_physical_devices("CPU")[0]
    config.set_logical_device_configuration(cpu, [config.LogicalDeviceConfiguration()])
    assert len(config.get_logical_device_configuration(cpu)) == 1


def test_what_cannot_be_done_is_said():
    config = tapejax.config
    cpu = config.list_physical_devices("CPU")[0]
    with pytest.raises(RuntimeError, match="xla_force_host_platform_device_count=7"):
        config.set_logical_device_configuration(cpu, [config.LogicalDeviceConfiguration()] * 7)
    with pytest.raises(ValueError, match="memory limit"):
        config.set_logical_device_configuration(cpu, [config.LogicalDeviceConfiguration(memory_limit=10)])
    with pytest.warns(UserWarning, match="XLA chooses"):
        config.threading.set_intra_op_parallelism_threads(4)
    assert config.threading.get_intra_op_parallelism_threads() == 4
    config.threading.set_intra_op_parallelism_threads(0)
    with pytest.warns(UserWarning, match="set_jit"):
        config.optimizer.set_jit(False)


def test_tensor_float_32():
    experimental = tapejax.config.experimental
    experimental.enable_tensor_float_32_execution(False)
    try:
        assert not experimental.tensor_float_32_execution_enabled()
        assert jax.config.jax_default_matmul_precision == "float32"
    finally:
        experimental.enable_tensor_float_32_execution(True)
    assert jax.config.jax_default_matmul_precision is None


def test_determinism_needs_nothing_on_a_cpu():
    if not tapejax.config.list_physical_devices("GPU"):
        assert tapejax.config.experimental.enable_op_determinism() is None
