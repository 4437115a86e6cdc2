"""The three parts as one ONNX file each: words, sound, hazard. Opset 17, batch free."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from endpointing.hazard import LEAST_SHARE, SHORTEST_S, Hazard
from endpointing.network import Weights
from endpointing.sound_model import SoundModel
from endpointing.text_model import SUREST
from media_gateway.ears.features import (
    CHECK_COLUMNS,
    CHECK_FEATURES,
    LAST_WORDS,
    SOUND_FEATURES,
    TEXT_EXTRAS,
)

OPSET = 17


class _Graph:
    """Nodes and constants in the making."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: npt.ArrayLike, kind: npt.DTypeLike = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def add(self, kind: str, *inputs: str, to: str | None = None, axis: int | None = None) -> str:
        name = to or f"v{len(self.nodes)}"
        node = helper.make_node(kind, list(inputs), [name])
        if axis is not None:
            node.attribute.append(helper.make_attribute("axis", axis))
        self.nodes.append(node)
        return name

    def write(
        self,
        path: Path,
        inputs: Sequence[tuple[str, int, int]],
        output: str,
        metadata: dict[str, str],
    ) -> None:
        """Check and save; every input is `[batch, width]`."""
        graph = helper.make_graph(
            self.nodes,
            path.stem,
            [helper.make_tensor_value_info(n, kind, ["batch", width]) for n, kind, width in inputs],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch"])],
            self.constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            producer_name="callspine endpointing",
        )
        model.ir_version = 9
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)


def write_text(path: Path, words: list[str], weights: Weights, metadata: dict[str, str]) -> None:
    """Ids `[batch, LAST_WORDS]` and extras `[batch, TEXT_EXTRAS]` to log odds. Word vectors are int8, one scale each."""
    graph = _Graph()
    scale = np.abs(weights["table"]).max(axis=1, keepdims=True) / 127 + 1e-9
    table = graph.constant(np.round(weights["table"] / scale), np.int8)
    rows = _cast(graph, graph.add("Gather", table, "ids"))
    scaled = graph.add("Mul", rows, graph.add("Gather", graph.constant(scale), "ids"))
    width = LAST_WORDS * weights["table"].shape[1]
    said = graph.add("Reshape", scaled, graph.constant([-1, width], np.int64))
    value = graph.add("Concat", said, "extras", axis=1)
    for layer in (1, 2, 3):
        value = graph.add(
            "Gemm",
            value,
            graph.constant(weights[f"w{layer}"]),
            graph.constant(weights[f"b{layer}"]),
        )
        if layer < 3:
            value = graph.add("Relu", value)
    value = graph.add("Clip", value, graph.constant(-SUREST), graph.constant(SUREST))
    graph.add("Squeeze", value, graph.constant([1], np.int64), to="log_odds")
    inputs = [("ids", TensorProto.INT64, LAST_WORDS), ("extras", TensorProto.FLOAT, TEXT_EXTRAS)]
    graph.write(path, inputs, "log_odds", metadata | {"words": "\n".join(words)})


def write_sound(path: Path, model: SoundModel, metadata: dict[str, str]) -> None:
    """`[batch, SOUND_FEATURES]` to log odds."""
    graph = _Graph()
    product = graph.add(
        "Gemm", "features", graph.constant(model.weights[:, None]), graph.constant([model.bias])
    )
    graph.add("Squeeze", product, graph.constant([1], np.int64), to="log_odds")
    inputs = [("features", TensorProto.FLOAT, SOUND_FEATURES)]
    graph.write(path, inputs, "log_odds", metadata)


def write_hazard(path: Path, hazard: Hazard, metadata: dict[str, str]) -> None:
    """`[batch, CHECK_FEATURES]` to p; the rule of hazard.py node by node."""
    g = _Graph()
    widths = [1] * len(CHECK_COLUMNS) + [CHECK_FEATURES - len(CHECK_COLUMNS)]
    names = [*CHECK_COLUMNS, "kinds"]
    g.nodes.append(
        helper.make_node("Split", ["checks", g.constant(widths, np.int64)], names, axis=1)
    )
    one, zero = g.constant([[1.0]]), g.constant([[0.0]])

    def number(value: float) -> str:
        return g.constant([[value]])

    def linear(bias: float, weight: float) -> str:
        with_text = g.add(
            "Add", g.add("Mul", "text", number(weight)), number(bias - hazard.wordless)
        )
        with_text = g.add("Sub", with_text, less)
        return g.add("Add", g.add("Mul", with_text, "has_text"), number(hazard.wordless))

    def by_kind(of: dict[str, float]) -> str:
        return g.add("MatMul", "kinds", g.constant(hazard.kinds(of)[:, None]))

    less = by_kind(hazard.less)

    pause = g.add(
        "Add",
        linear(hazard.pause_bias, hazard.pause_text),
        g.add("Mul", "audio", number(hazard.audio)),
    )
    speech = g.add("Min", linear(hazard.speech_bias, hazard.speech_text), pause)
    grown = g.add("Min", g.add("Max", g.add("Div", "silence_s", number(SHORTEST_S)), zero), one)
    odds = g.add("Add", speech, g.add("Mul", g.add("Sub", pause, speech), grown))
    usual = g.add("Add", by_kind(hazard.longer), number(hazard.hold_log_s))
    own = g.add(
        "Div",
        g.add("Add", g.add("Mul", usual, number(hazard.habit)), "pause_logs"),
        g.add("Add", "pauses", number(hazard.habit)),
    )

    def longer_than(log_s: str) -> str:
        z = g.add("Mul", g.add("Sub", log_s, own), number(1 / (hazard.hold_spread * np.sqrt(2))))
        return g.add("Sub", one, g.add("Erf", z))

    after = longer_than(g.add("Log", g.add("Max", "silence_s", number(SHORTEST_S))))
    at_first = longer_than(number(float(np.log(SHORTEST_S))))
    share = g.add("Min", g.add("Max", g.add("Div", after, at_first), number(LEAST_SHARE)), one)
    p = g.add("Sigmoid", g.add("Sub", odds, g.add("Log", share)))
    p = g.add("Mul", p, g.add("Sub", one, "unheard"))
    g.add("Squeeze", p, g.constant([1], np.int64), to="p")
    told = metadata | {"hazard": json.dumps(hazard.told())}
    g.write(path, [("checks", TensorProto.FLOAT, CHECK_FEATURES)], "p", told)


def _cast(graph: _Graph, name: str) -> str:
    """To float; `to` is also this node's attribute, so that it is built by hand."""
    graph.nodes.append(
        helper.make_node("Cast", [name], [f"v{len(graph.nodes)}"], to=TensorProto.FLOAT)
    )
    return str(graph.nodes[-1].output[0])
