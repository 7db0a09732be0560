"""Benchmarks: compare the same training loops in tapejax, TensorFlow, hand-written JAX and PyTorch.

    python -m benchmarks                 run every workload in every implementation that is installed
    python -m benchmarks W2 --seconds 5  run one workload, and measure it for longer
    python -m benchmarks ops             compare single ops with TensorFlow
    python -m benchmarks programs        compare whole training programs with TensorFlow
    python -m benchmarks.record          measure what single ops cost: recording, dispatch and completion

A workload is one file in ``benchmarks/workloads``; an implementation is one entry of
``benchmarks/implementations.py``. ``python -m benchmarks --help`` explains the method and the columns.
"""
