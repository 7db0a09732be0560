"""The engine: records ops, compiles what is pending into one program, runs it. Knows JAX, not TensorFlow's API."""
