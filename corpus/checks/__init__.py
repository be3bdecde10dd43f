"""What `check` looks for in a change of the corpus, one concern a file; corpus/check.py puts them together."""
