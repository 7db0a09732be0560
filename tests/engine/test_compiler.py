"""The compiler options that programs are compiled with."""

import jax
import jax.numpy as jnp
import pytest

from tapejax._src.engine import compiler


@pytest.mark.parametrize(
    ("release", "backend", "flags", "any_"),
    [
        ("0.10.2", "cpu", "", True),
        ("0.10.2", "cpu", "--xla_cpu_experimental_ynn_fusion_type=dot", False),
        ("0.10.2", "gpu", "", False),
        ("0.10.1", "cpu", "", False),
        ("0.12.0", "cpu", "", False),
    ],
)
def test_options_are_for_one_release_on_cpus_and_a_users_own_flag_wins(monkeypatch, release, backend, flags, any_):
    monkeypatch.setattr(compiler, "version", lambda name: release)
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    monkeypatch.setenv("XLA_FLAGS", flags)
    assert bool(compiler.options.__wrapped__()) == any_


@pytest.mark.skipif(not compiler.options(), reason="this release of XLA needs no options, or has no CPU here")
def test_convolutions_stay_with_xla_and_products_and_sums_with_the_library():
    def text(function, *shapes):
        return compiler.jit(function).lower(*(jnp.ones(s) for s in shapes)).compile().as_text()

    def convolve(x, w):
        return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    assert "ynn" not in text(convolve, (8, 16, 16, 32), (3, 3, 32, 32))
    assert "ynn" in text(jnp.matmul, (256, 256), (256, 256)) and "ynn" in text(lambda x: x.sum(0), (512, 512))


def test_donated_arguments_are_overwritten():
    x = jnp.ones(8)
    assert compiler.jit(lambda x: x + 1, [0])(x).tolist() == [2.0] * 8 and x.is_deleted()
