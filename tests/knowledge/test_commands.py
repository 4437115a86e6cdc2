"""`callspine knowledge` as a user runs it, wrong input and all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line.test_command_line import callspine
from tests.core.scripts import SMALL


@pytest.fixture
def settings(tmp_path: Path, documents: Path) -> dict[str, str]:
    """Of a scripts folder whose one script names the documents."""
    text = SMALL.replace("first: ask", "first: ask\nknowledge: kb")
    (tmp_path / "small.yaml").write_text(text)
    return {
        "CALLSPINE_SCRIPTS_DIR": str(tmp_path),
        "CALLSPINE_KNOWLEDGE_DIR": str(tmp_path / "store"),
    }


def test_a_folder_is_ingested_for_its_script_looked_into_and_forgotten(
    documents: Path, settings: dict[str, str]
) -> None:
    status, out, _ = callspine("knowledge", "ingest", str(documents), **settings)
    assert status == 0
    assert "8 passages; 4 documents written, 0 unchanged, 0 deleted, 0 not read" in out
    status, out, _ = callspine("knowledge", "ingest", str(documents), **settings)
    assert "0 documents written, 4 unchanged" in out
    status, out, _ = callspine("knowledge", "search", "small", "how long is it good", **settings)
    assert "warranty.html#Warranty" in out
    status, out, _ = callspine("knowledge", "forget", "small", **settings)
    assert (status, out) == (0, "8 passages of small deleted\n")


def test_each_bad_file_is_named_with_its_reason_and_the_status_says_so(
    documents: Path, settings: dict[str, str]
) -> None:
    (documents / "a.pdf").write_bytes(b"no pdf")
    (documents / "b.md").write_bytes(b"\xff")
    status, out, _ = callspine("knowledge", "ingest", str(documents), **settings)
    assert status == 1
    words = " ".join(out.split())
    assert f"not read: {documents / 'a.pdf'}: it is damaged" in words
    assert f"not read: {documents / 'b.md'}: it is not UTF-8" in words
    assert "8 passages; 4 documents written" in words


def test_a_script_that_nobody_has_is_told_of_and_filled_all_the_same(
    documents: Path, settings: dict[str, str]
) -> None:
    """It may come later; a typing error would stay unseen, as look-ups for the right script find nothing."""
    status, out, _ = callspine(
        "knowledge", "ingest", str(documents), "--script", "smal", **settings
    )
    assert status == 0
    assert "has the id smal: nobody will quote" in " ".join(out.split())
    status, out, _ = callspine(
        "knowledge", "ingest", str(documents), "--script", "small", **settings
    )
    assert "nobody will quote" not in out


@pytest.mark.parametrize(
    ("arguments", "variables", "reason"),
    [
        (("ingest", "nowhere"), {}, "--script"),
        (("ingest", "nowhere", "--script", "x"), {}, "nowhere is not a folder"),
        (("list",), {}, "the store is empty: run `callspine knowledge ingest DIR`"),
        (("search", "x", "words"), {}, "the store is empty"),
        (("list",), {"CALLSPINE_QDRANT_URL": "http://127.0.0.1:9"}, "CALLSPINE_QDRANT_URL"),
    ],
)
def test_wrong_input_and_an_empty_or_absent_store_are_one_clear_message(
    settings: dict[str, str], arguments: tuple[str, ...], variables: dict[str, str], reason: str
) -> None:
    status, _, err = callspine("knowledge", *arguments, **settings, **variables)
    assert status == 2
    assert reason in err


def test_a_stage_that_quotes_a_missing_document_is_refused(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    script = tmp_path / "small.yaml"
    text = script.read_text()
    script.write_text(text.replace("collects: [age]", "collects: [age]\n    knowledge: [price.md]"))
    status, _, err = callspine("script", "check", str(script), **settings)
    assert status == 2
    assert "perhaps `prices.md`" in err
