"""What things are: values, tables, errors. Imports nothing of ours and does no I/O."""
