"""Documents for the tests: a folder with each kind of file, a PDF made byte by byte, passages in bulk."""

from __future__ import annotations

from pathlib import Path

MARKDOWN = """---
title: left out
---
We sell roofs.

# Prices

## Small roofs
A small roof costs **nine thousand** dollars, see [the list](http://example.com/list).

## Large roofs
| size | price |
| --- | --- |
| 30 squares | 20,000 dollars |
"""
HTML = """<html><head><title>no</title><style>p {}</style></head><body><nav>Home | About</nav>
<h1>Warranty</h1><p>The warranty lasts <b>twenty-five</b> years.</p><script>alert(1)</script>
<h2>Leaks</h2><div>Leaks are mended<br>within two days.</div><footer>imprint</footer></body></html>
"""


def pdf(*lines: tuple[int, str]) -> bytes:
    """One page of these lines, each of a letter size in points."""
    shown, y = [], 760
    for size, text in lines:
        y -= 2 * size
        shown.append(f"BT /F1 {size} Tf 72 {y} Td ({text}) Tj ET")
    stream = "\n".join(shown).encode()
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(parts) + 1,
        start,
    )


def write_each_kind(folder: Path) -> None:
    """Four good files, one in a folder of its own, and none that is bad."""
    (folder / "more").mkdir(parents=True)
    (folder / "prices.md").write_text(MARKDOWN)
    (folder / "warranty.html").write_text(HTML)
    (folder / "more" / "notes.txt").write_text("Our crews wear blue helmets.\n")
    (folder / "guide.pdf").write_bytes(
        pdf(
            (20, "Roof guide"),
            (11, "A roof keeps the rain out of the house."),
            (15, "Cleaning"),
            (11, "Moss is brushed off once a year, in spring."),
        )
    )
