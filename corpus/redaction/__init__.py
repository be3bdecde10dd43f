"""Finding personal data and secrets in text: one module a family, each giving `Finding`s; corpus/redact.py replaces them."""
