"""`tf.function`, control flow, and AutoGraph."""
