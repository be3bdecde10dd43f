"""The models that learn from the corpus: training, gate, registry, router and gateway come here."""
