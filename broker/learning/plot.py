"""Curves as a PNG: one panel each, below one another, over the number of the round."""

import io
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

WIDTH, PANEL, MARGIN, LEFT = 720, 180, 28, 90
INK, PALE, LINE = (30, 30, 30), (220, 220, 220), (20, 90, 170)
TICKS = 4
Points = Sequence[tuple[int, float]]


def png(curves: Mapping[str, Points]) -> bytes:
    """Draw the curves; none gives a picture that says so."""
    image = Image.new("RGB", (WIDTH, PANEL * max(1, len(curves))), "white")
    draw = ImageDraw.Draw(image)
    if not curves:
        draw.text((LEFT, MARGIN), "no round has finished", fill=INK)
    for at, (title, points) in enumerate(curves.items()):
        _panel(draw, at * PANEL, title, points)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _panel(draw: ImageDraw.ImageDraw, top: int, title: str, points: Points) -> None:
    values = [value for _, value in points]
    low, high = min(values), max(values)
    if high <= low:
        low, high = low - 0.5 * abs(low or 1), high + 0.5 * abs(high or 1)
    first, last = points[0][0], max(points[-1][0], points[0][0] + 1)
    bottom, right = top + PANEL - MARGIN, WIDTH - MARGIN

    def place(number: float, value: float) -> tuple[float, float]:
        across = (number - first) / (last - first)
        up = (value - low) / (high - low)
        return LEFT + across * (right - LEFT), bottom - up * (PANEL - 2 * MARGIN)

    for tick in range(TICKS + 1):
        value = low + (high - low) * tick / TICKS
        _, y = place(first, value)
        draw.line([(LEFT, y), (right, y)], fill=PALE)
        draw.text((LEFT - 8, y), f"{value:.4g}", fill=INK, anchor="rm")
    for number in (first, last):
        draw.text((place(number, low)[0], bottom + 4), str(number), fill=INK, anchor="ma")
    draw.text((LEFT, top + 6), title, fill=INK)
    track = [place(number, value) for number, value in points]
    if len(track) > 1:
        draw.line(track, fill=LINE, width=2)
    for x, y in track:
        draw.ellipse([(x - 3, y - 3), (x + 3, y + 3)], fill=LINE)
