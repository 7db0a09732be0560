"""What every registered name owes: a documented source, and a test that calls it.

A name counts as tested where the code of a test reads it as an attribute of the module. The names in tables of
`Case`s are often put together (`getattr(tf.math, name)`), so these cases run here once more: in tapejax alone, without
derivatives, recorded and not compiled.
"""

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from pathlib import Path

import pytest
from support import harness
from support.module import watched
from support.reads import last_names_read, names_read

import tapejax
import tapejax._src
from tapejax._src.core import public

TESTS = Path(__file__).parents[1]

# Names that tests read otherwise than from a module called `tf`, by test file. The file's code must read each: as an
# attribute of a namespace that it was handed (`lambda i: i.random_hue(x)`), or as the text of a name for `getattr`.
ELSEWHERE = {
    "ops/random/test_ops_random.py": "random.stateless_truncated_normal",
    "ops/image/test_ops_image.py": """
        image.random_flip_up_down image.stateless_random_flip_left_right image.stateless_random_flip_up_down
        image.stateless_random_crop image.random_brightness image.stateless_random_brightness image.random_hue
        image.stateless_random_hue image.random_contrast image.stateless_random_contrast image.random_saturation
        image.stateless_random_saturation image.non_max_suppression image.non_max_suppression_with_scores
        image.non_max_suppression_overlaps image.non_max_suppression_padded image.combined_non_max_suppression""",
    "ops/io/test_io.py": """
        io.decode_proto io.encode_proto io.write_graph io.match_filenames_once io.decode_json_example io.decode_jxl""",
    "ops/io/test_io_examples.py": "io.SparseFeature",
    "ops/signal/test_ops_signal.py": "signal.kaiser_bessel_derived_window signal.vorbis_window",
}

# Registered names that no test reads, each with the reason.
UNTESTED = {
    "random.log_uniform_candidate_sampler": "ops/nn/test_ops_candidate_sampling.py makes the name from log_uniform",
}


@pytest.fixture(scope="module")
def registered():
    """Each registered function once, with all its public names."""
    for module in pkgutil.walk_packages(tapejax._src.__path__, "tapejax._src."):
        importlib.import_module(module.name)
    found = {}
    for name, fn in public.names.items():
        found.setdefault(id(fn), (fn, []))[1].append(name)
    return list(found.values())


def test_every_op_names_its_source(registered):
    source = "https://www.tensorflow.org/api_docs/python/tf/"
    assert [names for fn, names in registered if source not in (inspect.getdoc(fn) or "")] == []


def test_every_op_is_tested(registered):
    import_all_tests()
    read = names_of_all_cases().union(*map(names_read, TESTS.rglob("test_*.py")))
    elsewhere = {name for names in ELSEWHERE.values() for name in names.split()}
    untested = {names[0] for _, names in registered if read.isdisjoint(names)}
    assert untested == elsewhere | set(UNTESTED)


@pytest.mark.parametrize("file", ELSEWHERE)
def test_the_files_named_for_an_op_read_it(file):
    read = last_names_read(TESTS / file)
    assert [name for name in ELSEWHERE[file].split() if name.rpartition(".")[2] not in read] == []


def import_all_tests():
    """Imports the test files that pytest has not: their tables register themselves."""
    known = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    for path in sorted(TESTS.rglob("test_*.py")):
        if str(path) not in known:
            spec = importlib.util.spec_from_file_location(path.stem, path)
            assert spec and spec.loader
            module = importlib.util.module_from_spec(spec)
            sys.modules.setdefault(path.stem, module)
            spec.loader.exec_module(module)


def names_of_all_cases():
    """The names that the cases of all tables read, where they have tensors as inputs."""
    found = set()
    for table in harness.TABLES:
        for case in table.cases.values():
            if not case.inputs:
                continue
            module, names = watched(tapejax)
            try:
                case.call(module, *map(tapejax.constant, case.inputs))
            except Exception:  # What the case is to raise, as its own test checks.
                pass
            found |= names.found
    return found
