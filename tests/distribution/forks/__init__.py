"""Applications for the servers that fork: none does anything for its client but make it."""
