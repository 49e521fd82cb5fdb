# SPDX-License-Identifier: GPL-2.0-only
"""Draw a bar chart as SVG."""
from xml.sax.saxutils import escape

COLOURS = ("#b0b0b0", "#7f7f7f", "#4c78a8", "#f2b27a", "#e4572e", "#54a24b")
BAR, GAP, LEFT, WIDTH, RIGHT, TOP = 14, 16, 210, 460, 90, 64


def text(x, y, words, anchor="start", size=12):
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'


def bars(title, columns, rows):
    """Return the SVG for rows of the form (title, [(value, label) for each column]). Each row has its own scale."""
    height = TOP + len(rows) * (len(columns) * BAR + GAP)
    body, y = [text(8, 20, title, size=15)], TOP
    for i, column in enumerate(columns):
        x = 8 + i * (LEFT + WIDTH + RIGHT - 16) / len(columns)
        body += [f'<rect x="{x:g}" y="32" width="12" height="12" fill="{COLOURS[i % len(COLOURS)]}"/>',
                 text(x + 16, 42, column)]
    for row, values in rows:
        body.append(text(LEFT - 8, y + len(columns) * BAR / 2 + 4, row, "end"))
        largest = max(value for value, _ in values)
        for i, (value, label) in enumerate(values):
            length = WIDTH * value / largest
            body += [f'<rect x="{LEFT}" y="{y + 1:g}" width="{length:.1f}" height="{BAR - 2}" '
                     f'fill="{COLOURS[i % len(COLOURS)]}"/>', text(LEFT + length + 4, y + BAR - 3, label, size=11)]
            y += BAR
        y += GAP
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + RIGHT}" height="{height}" '
            'font-family="sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n'
            + "\n".join(body) + "\n</svg>\n")
