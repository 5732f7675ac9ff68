"""Example flags, and programs that use them."""
