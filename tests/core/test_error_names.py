"""Errors show in tracebacks, and go through pickles, under their public names."""

import pickle
import traceback

import pytest

import tapejax


def test_tracebacks_show_public_names():
    with pytest.raises(tapejax.errors.InvalidArgumentError) as caught:
        tapejax.reshape(tapejax.ones([4]), [3])
    assert traceback.format_exception_only(caught.value)[0].startswith("tapejax.errors.InvalidArgumentError: ")


def test_every_class_is_where_it_says():
    for name in dir(tapejax.errors):
        cls = getattr(tapejax.errors, name)
        if isinstance(cls, type):
            assert f"{cls.__module__}.{cls.__qualname__}" == f"tapejax.errors.{name}"
            assert pickle.loads(pickle.dumps(cls)) is cls


def test_an_error_is_pickled():
    error = tapejax.errors.NotFoundError(None, None, "no such file")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is tapejax.errors.NotFoundError
    assert again.message == "no such file"
