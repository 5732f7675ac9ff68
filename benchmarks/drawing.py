"""Drawings as SVG: texts, and the colours that all of them share."""

from __future__ import annotations

from xml.sax.saxutils import escape

__all__ = ["FAINT", "INK", "SOFT", "drawing", "text"]

INK, SOFT, FAINT = "#1f2937", "#4b5563", "#e5e7eb"


def text(
    x: float, y: float, content: str, size: int, *, anchor: str = "start", weight: int = 400, fill: str = INK
) -> str:
    """Return a line of text, ``size`` in pixels."""
    placed = f'x="{x:.1f}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" fill="{fill}"'
    return f"<text {placed}>{escape(content)}</text>"


def drawing(width: int, height: int, title: str, parts: list[str]) -> str:
    """Return the whole of an SVG file."""
    style = "<style>text{font-family:system-ui,'Segoe UI','DejaVu Sans',sans-serif}</style>"
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", style, ground, *parts, "</svg>"]) + "\n"
