"""What we think of a conversation: rubric, reading, head, endpoints."""
