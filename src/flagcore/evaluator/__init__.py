"""The Cython face of the kernel, and explanations."""
