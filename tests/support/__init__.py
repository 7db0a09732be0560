"""What tests share: the comparison with real TensorFlow, and stand-ins for what tests must not start."""
