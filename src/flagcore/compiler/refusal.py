"""What only building can tell about a flag, raised inside the compiler and handed out as a problem record."""

from __future__ import annotations

from flagcore.errors import Problem

__all__ = ["Refusal"]


class Refusal(Exception):
    """A flag that cannot be compiled; ``place`` is the path below the flag, such as ``rules[3].when``.

    ``pattern``: the author's pattern that is to blame; whoever knows the rules finds the place by it.
    """

    def __init__(
        self, code: str, message: str, *, place: str = "", hint: str | None = None, pattern: str | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.place, self.hint, self.pattern = code, message, place, hint, pattern

    def problem(self, flag_key: str) -> Problem:
        """Return the record that authors see."""
        path = ".".join(part for part in ("flags", flag_key, self.place) if part)
        return Problem(code=self.code, message=self.message, path=path, hint=self.hint)
