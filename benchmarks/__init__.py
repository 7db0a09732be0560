"""Benchmarks: the same training loops in tapejax, TensorFlow, hand-written JAX and PyTorch, side by side.

    python -m benchmarks                 every workload, every implementation that is installed
    python -m benchmarks W2 --seconds 5  one workload, measured for longer
    python -m benchmarks.record          what recording, dispatch and completion of single ops cost

A workload is one file in ``benchmarks/workloads``; an implementation is one entry of
``benchmarks/implementations.py``. ``python -m benchmarks --help`` explains the method and the columns.
"""
