"""The gate: a change that makes an evaluation dearer or a flag bigger than the committed baseline says does not pass.

``__main__`` is the command, ``baseline`` the committed figures, ``measure`` runs the children: ``prepare`` compiles the workloads and
weighs them, ``calls`` evaluates them under callgrind, ``kernel_walk.c`` walks them without Python.
"""
