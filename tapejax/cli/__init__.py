"""The command line `tapejax`: one file for each subcommand, and what they share."""
