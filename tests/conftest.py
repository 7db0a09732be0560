"""What all tests share: real TensorFlow as a fixture, a fresh tapejax for each test, skips with a reason."""

import os

# Before anything imports TensorFlow, which reads these once: no start-up messages, plain kernels (oneDNN's
# fused ones sum in another order, which blurs comparisons), and Keras on TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ["KERAS_BACKEND"] = "tensorflow"

import gc
import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest
from support.resident import KNOWN, MB, resident

import tapejax
from tapejax._src.engine import flush


@pytest.fixture(scope="session")
def tf() -> Any:
    """The real TensorFlow. A test that asks for it is marked `tensorflow`, skipped where there is none."""
    return pytest.importorskip("tensorflow")


@pytest.fixture(autouse=True)
def fresh_tapejax() -> Iterator[None]:
    """Each test starts with an empty stream, the same random seed and the settings as they were."""
    eager = tapejax.config.eager
    # Which programs run op by op depends on how many of their like ran before: on the tests before, without this.
    flush.forget_families()
    tapejax.random.set_seed(0)
    yield
    # Nothing of this test's is alive by now, so this drops what it recorded, and compiles nothing.
    tapejax.sync()
    if tapejax.config.eager != eager:
        tapejax.config.eager = eager


@pytest.fixture(autouse=True, scope="module")
def bounded_memory() -> Iterator[None]:
    """A module leaves hundreds of compiled programs that no other uses: too many of them are dropped."""
    yield
    if KNOWN and resident() > 2500 * MB:
        import jax

        from tapejax._src.core import malloc
        from tapejax._src.engine import trie

        trie.clear()
        jax.clear_caches()
        gc.collect()
        malloc.give_back()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks users of the `tf` fixture, and skips what this machine cannot run."""
    for item in items:
        if "tf" in getattr(item, "fixturenames", ()):
            item.add_marker("tensorflow")
        for marker, reason in _LACKING.items():
            if item.get_closest_marker(marker) and (why := reason()):
                item.add_marker(pytest.mark.skip(reason=why))


def _no_tensorflow() -> str | None:
    found = importlib.util.find_spec("tensorflow")
    return None if found else "real TensorFlow is not installed: pip install 'tapejax[test]'"


def _no_gpu() -> str | None:
    import jax

    return None if jax.default_backend() == "gpu" else f"no GPU: JAX runs on {jax.default_backend()}"


def _one_device() -> str | None:
    import jax

    if jax.device_count() > 1:
        return None
    return "one JAX device only; XLA_FLAGS=--xla_force_host_platform_device_count=8 makes eight of a CPU"


# Asked only when a test has the marker, since the answer starts JAX's backend.
_LACKING = {"tensorflow": _no_tensorflow, "gpu": _no_gpu, "multidevice": _one_device}
