"""Markdown → sections: what a reader would read aloud, so no markup, no pictures, no front matter, no raw HTML."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

from media_gateway.knowledge.cutting import Section
from media_gateway.knowledge.formats.outline import Outline

_FRONT_MATTER = re.compile(r"\A---\n.*?\n(?:---|\.\.\.)\n", re.DOTALL)
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
"""The one piece of raw HTML that people write in Markdown's tables."""
_PARSER = MarkdownIt("commonmark").enable("table")


def sections_of(text: str) -> list[Section]:
    """Sections by `#` and underlined headings. Any text is Markdown: this cannot fail."""
    outline = Outline()
    level, row = 0, list[str]()
    for token in _PARSER.parse(_FRONT_MATTER.sub("", text.replace("\r\n", "\n"))):
        if token.type == "heading_open":
            level = int(token.tag[1])
        elif token.type == "heading_close":
            level = 0
        elif token.type in ("td_open", "th_open"):
            row.append("")
        elif token.type == "tr_close":
            outline.text(", ".join(filter(None, row)) + ".")
            row = []
        elif token.type == "inline":
            words = _plain(token)
            if level:
                outline.heading(level, words)
            elif row:
                row[-1] = words
            else:
                outline.text(words)
        elif token.type in ("fence", "code_block"):
            outline.text(token.content)
    return outline.sections()


def _plain(token: Token) -> str:
    parts = []
    for child in token.children or ():
        if child.type in ("text", "code_inline"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak") or _LINE_BREAK.fullmatch(child.content):
            parts.append(" ")
    return "".join(parts)
