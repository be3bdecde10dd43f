"""How conversations become a reviewed, versioned corpus."""
