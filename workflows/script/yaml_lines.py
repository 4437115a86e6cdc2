"""PURE. YAML text as plain values that know their lines, so that a refusal can name the place."""

from __future__ import annotations

import yaml

Path = tuple[str | int, ...]
"""Where in a document: keys and indexes from the top."""

_MAP, _SEQ = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"

LONGEST_TEXT = 512 * 1024
"""Characters. A script is a few dozen kilobytes."""


class YamlProblem(ValueError):
    """The text is not the YAML that a script is written in."""

    def __init__(self, line: int, reason: str, remedy: str = "correct the YAML") -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason
        self.remedy = remedy


def load_with_lines(text: str) -> tuple[object, dict[Path, int]]:
    """The value and the line (from 1) of every key and item in it. Raises YamlProblem."""
    if len(text) > LONGEST_TEXT:
        raise YamlProblem(1, f"longer than {LONGEST_TEXT} characters")
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise YamlProblem(line, "aliases (`*name`) are not allowed")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlProblem(mark.line + 1 if mark else 1, str(error.problem)) from None
    except yaml.YAMLError as error:
        raise YamlProblem(1, str(error).splitlines()[0]) from None
    except RecursionError:
        raise YamlProblem(1, "lists or mappings are nested too deep") from None
    lines: dict[Path, int] = {}
    if node is None:
        raise YamlProblem(1, "the file is empty")
    return _value(node, (), lines), lines


def _value(node: yaml.Node, path: Path, lines: dict[Path, int]) -> object:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        _refuse_tag(node, _MAP)
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise YamlProblem(line, "a key is not plain text", "write `key: value`")
            key = str(key_node.value)
            if key in found:
                raise YamlProblem(line, f"`{key}` is given twice")
            lines[(*path, key)] = line
            found[key] = _value(value_node, (*path, key), lines)
        return found
    if isinstance(node, yaml.SequenceNode):
        _refuse_tag(node, _SEQ)
        return [_value(item, (*path, index), lines) for index, item in enumerate(node.value)]
    return _scalar(node)


def _scalar(node: yaml.Node) -> object:
    """A plain value. YAML takes `2024-13-45` for a date and `!x y` for somebody's type, and both fail only here."""
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, OverflowError):
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        raise YamlProblem(
            node.start_mark.line + 1,
            f"`{str(node.value)[:40]}` cannot be read as a value of the type `{kind}`",
            "put the text in quotes, without a tag",
        ) from None


def _refuse_tag(node: yaml.Node, plain: str) -> None:
    if node.tag != plain:
        raise YamlProblem(
            node.start_mark.line + 1, f"the tag `{node.tag}` is not allowed", "leave the tag out"
        )
