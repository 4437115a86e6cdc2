"""HTML → sections: the page's text by its headings, without menus, footers, what a form asks, and scripts."""

from __future__ import annotations

from bs4 import BeautifulSoup
from bs4.element import NavigableString, PreformattedString, Tag

from media_gateway.knowledge.cutting import Section
from media_gateway.knowledge.formats.outline import Outline

_NOT_READ = [
    "script", "style", "noscript", "template", "svg", "nav", "footer", "aside", "button", "label", "select",
    "textarea", "iframe", "head",
]  # fmt: skip
"""No form as such: whole sites stand in one."""
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "cite", "code", "em", "i", "mark", "q", "s", "small", "span", "strong",
     "sub", "sup", "time", "u"}
)  # fmt: skip


def sections_of(page: bytes) -> list[Section]:
    """Sections by h1 to h6. Broken HTML is read as a browser would, roughly; the encoding is the page's own."""
    soup = BeautifulSoup(page, "html.parser")
    for tag in soup.find_all(_NOT_READ):
        tag.decompose()
    outline = Outline()
    # A page's own part, where it says which one that is: what stands around it is on every page.
    articles = soup.find_all("article", limit=2)
    only_article = articles[0] if len(articles) == 1 else None  # several are the page's parts
    root = soup.find("main") or only_article or soup.body or soup
    _walk(root if isinstance(root, Tag) else soup, outline)
    return outline.sections()


def _walk(root: Tag, outline: Outline) -> None:
    """Without recursion: a page may be nested deeper than Python's stack."""
    todo: list[object] = [root]
    held: list[str] = []
    while todo:
        node = todo.pop()
        if isinstance(node, Tag) and node.name in _HEADINGS:
            outline.text("".join(held))
            held = []
            outline.heading(_HEADINGS[node.name], node.get_text(" ", strip=True))
        elif isinstance(node, Tag):
            edge = "" if node.name in _INLINE else " "
            todo += [NavigableString(edge), *reversed(node.contents), NavigableString(edge)]
        elif isinstance(node, NavigableString) and not isinstance(node, PreformattedString):
            held.append(str(node))
    outline.text("".join(held))
