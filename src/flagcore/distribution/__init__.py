"""How flags reach a process: sources that feed an engine."""
