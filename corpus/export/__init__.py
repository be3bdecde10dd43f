"""A release in the form of a training toolkit: rows that no toolkit knows of, then one small module a toolkit."""
