"""Finding personal data and secrets: one module a family, each giving `Finding`s; corpus/redact.py replaces them."""
