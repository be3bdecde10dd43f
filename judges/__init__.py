"""What we think of a conversation: rubric, reading, scorer, endpoints."""
