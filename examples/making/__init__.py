"""What examples/make_logs.py is made of: reading the conversations, planting copies, one writer a log format."""
