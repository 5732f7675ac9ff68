"""What a process records about its evaluations."""
