"""Write test outcomes as a JUnit report, as CI services read it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from flagcore.cli.test import title
from flagcore.testing.scenarios import Outcome

__all__ = ["write_report"]

FORBIDDEN = re.compile(
    "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)  # characters that XML 1.0 cannot hold


def write_report(path: str, outcomes: Sequence[Outcome]) -> None:
    """Write one test suite with a case for each outcome."""
    failed = sum(not outcome.passed for outcome in outcomes)
    cases = "".join(map(_case, outcomes))
    head = f'<testsuite name="flagcore" tests="{len(outcomes)}" failures="{failed}">'
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>{head}{cases}</testsuite></testsuites>\n')


def _case(outcome: Outcome) -> str:
    name, owner = quoteattr(_clean(title(outcome))), quoteattr(outcome.flag_key)
    if outcome.passed:
        return f"<testcase classname={owner} name={name}/>"
    message = quoteattr(_clean(f"expected {outcome.expected}, came {outcome.actual}"))
    detail = escape(_clean(str(outcome.explanation or "")))
    return f"<testcase classname={owner} name={name}><failure message={message}>{detail}</failure></testcase>"


def _clean(text: str) -> str:
    return FORBIDDEN.sub("\ufffd", text)
