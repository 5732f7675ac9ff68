"""What only building can tell about a flag, raised inside the compiler and handed out as a finding of the model."""

from __future__ import annotations

from flagcore.model.problems import DocumentPath, Finding

__all__ = ["Refusal"]


class Refusal(Exception):
    """A flag that cannot be compiled; ``place`` is the path below the flag, such as ``("rules", 3, "when")``.

    ``pattern``: the author's pattern that is to blame; whoever knows the rules finds the place by it. It may stand in the
    condition of a ``segment``, ``offset`` code points from the condition's start.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        place: DocumentPath = (),
        hint: str | None = None,
        pattern: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.place, self.hint, self.pattern = code, message, place, hint, pattern
        self.segment: str | None = None
        self.offset: int | None = None

    def finding(self, flag_key: str) -> Finding:
        """Return what authors are told, with the way to its place."""
        path = ("flags", flag_key, *self.place) if self.segment is None else ("segments", self.segment, "when")
        return Finding(code=self.code, message=self.message, path=path, hint=self.hint, offset=self.offset)
