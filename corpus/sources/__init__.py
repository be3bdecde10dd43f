"""Chat systems' logs, turned into conversations; one module a system."""
