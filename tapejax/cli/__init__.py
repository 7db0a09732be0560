"""The command line: `tapejax run`, `tapejax demo`, and what they share."""
