"""What an ingest decides to do, from what is stored and what the folder holds."""

from __future__ import annotations

from media_gateway.knowledge.cutting import Document, Section, cut
from media_gateway.knowledge.planning import StoredPoint, plan


def document(name: str, text: str = "words", sections: int = 2) -> Document:
    return cut(name, [Section(headings=(f"h{n}",), text=text) for n in range(sections)])


def stored(made: Document, *, live: int | None = None) -> list[StoredPoint]:
    """Its points, of which the first `live` can be found."""
    return [
        StoredPoint(
            point_id=f"{made.name} {made.version[:4]} {index}",
            document=made.name,
            version=made.version,
            is_live=live is None or index < live,
        )
        for index in range(len(made.chunks))
    ]


def test_a_document_that_is_stored_whole_is_left_alone() -> None:
    done = plan(stored(document("a.md")), [document("a.md")])

    assert (done.unchanged, done.write, done.gone, done.remove) == (("a.md",), (), (), ())


def test_a_new_version_replaces_the_points_of_the_old() -> None:
    old = stored(document("a.md", "old"))

    done = plan(old, [document("a.md", "new")])

    (replacement,) = done.write
    assert replacement.document == document("a.md", "new")
    assert replacement.replaces == tuple(point.point_id for point in old)


def test_a_document_that_was_not_shown_whole_is_written_again() -> None:
    for live in (0, 1):
        done = plan(stored(document("a.md"), live=live), [document("a.md")])
        assert [one.document.name for one in done.write] == ["a.md"]
        assert done.write[0].replaces == ()


def test_what_a_broken_off_ingest_left_hidden_goes_when_the_document_is_back_as_it_was() -> None:
    leftover = stored(document("a.md", "never finished"), live=0)

    done = plan([*stored(document("a.md")), *leftover], [document("a.md")])

    assert done.unchanged == ("a.md",)
    assert done.remove == tuple(point.point_id for point in leftover)


def test_a_document_that_is_gone_is_removed_unless_its_file_could_not_be_read() -> None:
    points = [*stored(document("gone.md")), *stored(document("bad.md"))]

    done = plan(points, [], kept={"bad.md"})

    assert done.gone == ("gone.md",)
    assert set(done.remove) == {p.point_id for p in points if p.document == "gone.md"}
