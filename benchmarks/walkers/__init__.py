"""Graphs and programs walked in plain Python, as kernel.h describes them: what tests judge by and ``growth`` counts with."""
