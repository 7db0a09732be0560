"""Automatic differentiation: tapes, the backward walk, custom gradients."""
