"""Files of every kind as passages, cut by heading; bad ones told with their reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from media_gateway.knowledge.cutting import MOST_WORDS, Document, Section, cut
from media_gateway.knowledge.passages import (
    BadFile,
    names_in,
    read_document,
    read_documents,
    read_folder,
)
from tests.knowledge.documents import pdf, write_each_kind


def test_every_kind_of_file_is_cut_at_its_headings(tmp_path: Path) -> None:
    write_each_kind(tmp_path / "kb")

    found = {chunk.source: chunk.text for chunk in read_folder(tmp_path / "kb")}

    assert found == {
        "prices.md": "We sell roofs.",
        "prices.md#Small roofs": "A small roof costs nine thousand dollars, see the list.",
        "prices.md#Large roofs": "size, price. 30 squares, 20,000 dollars.",
        "warranty.html#Warranty": "The warranty lasts twenty-five years.",
        "warranty.html#Leaks": "Leaks are mended within two days.",
        "more/notes.txt": "Our crews wear blue helmets.",
        "guide.pdf#Roof guide": "A roof keeps the rain out of the house.",
        "guide.pdf#Cleaning": "Moss is brushed off once a year, in spring.",
    }


def test_a_pdf_without_headings_is_cut_at_its_pages(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf((11, "One line of text."), (11, "And another.")))

    (chunk,) = read_folder(tmp_path)

    assert (chunk.source, chunk.text) == ("a.pdf#page 1", "One line of text. And another.")


def test_a_passage_can_be_named_by_folder_file_and_each_heading_above_it(tmp_path: Path) -> None:
    write_each_kind(tmp_path)

    assert names_in(tmp_path) >= {
        "more/",
        "more/notes.txt",
        "prices.md",
        "prices.md#Prices",
        "prices.md#Small roofs",
        "guide.pdf#Cleaning",
    }


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.md", b"\xff\xfe\x00", "not UTF-8"),
        ("a.txt", b" \n ", "no words"),
        ("a.html", b"<nav>menu</nav>", "no words"),
        ("a.pdf", b"no pdf at all", "damaged"),
        ("a.pdf", b"", "damaged"),
        ("a.pdf", pdf(), "only pictures"),
        ("a.docx", b"PK", "not one of"),
    ],
)
def test_a_bad_file_is_told_with_its_reason_and_the_rest_is_read(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "good.md").write_text("# Good\nwords")
    (tmp_path / ".hidden").write_text("x")

    bad, good = sorted(read_documents(tmp_path), key=lambda one: isinstance(one, Document))

    assert isinstance(bad, BadFile)
    assert bad.name == name
    assert reason in bad.reason
    assert good.name == "good.md"


def test_a_file_that_may_not_be_read_or_is_gone_is_told(tmp_path: Path) -> None:
    told = read_document(tmp_path / "gone.md", "gone.md")

    assert isinstance(told, BadFile)
    assert "No such file" in told.reason


def test_html_nested_deeper_than_pythons_stack_is_read(tmp_path: Path) -> None:
    (tmp_path / "deep.html").write_text("<div>" * 3000 + "deep words")

    (one,) = read_documents(tmp_path)

    assert isinstance(one, Document | BadFile)
    if isinstance(one, Document):
        assert one.chunks[0].text == "deep words"


@pytest.mark.parametrize(
    ("page", "texts"),
    [
        (
            "<article><h2>A</h2>one</article><article><h2>B</h2>two</article>",
            ["one", "two"],
        ),
        ("menu<article><h2>A</h2>one</article>more", ["one"]),
        ("menu<main><article>one</article><article>two</article></main>", ["one two"]),
        (
            "<form action='/'><h1>Shop</h1><p>We sell roofs.</p><label>Name</label><input>"
            "<select><option>Mr</option></select><button>Go</button></form>",
            ["We sell roofs."],
        ),
    ],
)
def test_all_of_a_pages_own_part_is_read(tmp_path: Path, page: str, texts: list[str]) -> None:
    (tmp_path / "a.html").write_text(f"<html><body>{page}</body></html>")
    found = [chunk.text for chunk in read_folder(tmp_path)]
    assert found == texts


def test_a_line_break_in_markdown_parts_two_words(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("first<br>second <b>bold</b>\n\n| a |\n| - |\n| x<br/>y |\n")
    (chunk,) = read_folder(tmp_path)
    assert chunk.text == "first second bold a. x y."


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing-here"):
        read_folder(tmp_path / "nothing-here")


def test_a_long_section_is_cut_at_the_ends_of_sentences_and_no_word_is_lost() -> None:
    sentences = [f"Sentence {number} has a few more words in it." for number in range(60)]
    text = " ".join(sentences)

    document = cut("a.md", [Section(headings=("Long",), text=text)])

    assert len(document.chunks) > 3
    assert " ".join(chunk.text for chunk in document.chunks) == text
    assert all(len(chunk.text.split()) <= MOST_WORDS for chunk in document.chunks)
    assert all(chunk.text.endswith(".") for chunk in document.chunks)
    assert {chunk.source for chunk in document.chunks} == {"a.md#Long"}


def test_a_sentence_without_end_is_cut_all_the_same() -> None:
    document = cut("a.md", [Section(headings=(), text="word " * 1000)])

    assert all(len(chunk.text.split()) <= MOST_WORDS for chunk in document.chunks)
    assert sum(len(chunk.text.split()) for chunk in document.chunks) == 1000


def test_the_version_follows_what_is_read_and_nothing_else() -> None:
    def version(text: str, heading: str = "One", name: str = "a.md") -> str:
        return cut(name, [Section(headings=(heading,), text=text)]).version

    assert version("some words") == version(" some \n words ")
    assert len({version("a"), version("b"), version("a", "Two"), version("a", name="b.md")}) == 4
