"""The checks of a flag set, one subject a file; each yields findings and never raises."""
