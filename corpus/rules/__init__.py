"""The rules of the screen: thresholds and phrases in corpus/screen_rules.toml, one module for each thing looked at."""
