"""Authored flags to programs (docs/design/compiler.md): pure functions of their input; nothing is opened, no clock is read.

The stages, in order: ``atoms`` and ``views`` (tests to classes), ``lower`` and ``formula`` (Kleene logic to two-valued
formulas), ``plan`` (a flag as rows and leaves), ``graph`` and ``simplify`` (rows to a decision graph), ``select``
(branches to operations), ``emit`` (bytes). ``compile`` runs them over a set; ``listing`` reads a program back.
"""

from flagcore.compiler.compile import Compiled, CompiledFlag, compile_flag, compile_flag_set
from flagcore.compiler.options import Options

__all__ = ["Compiled", "CompiledFlag", "Options", "compile_flag", "compile_flag_set"]
