"""Learning needs the extra `endpointing`; without it those tests are not collected."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("sklearn") and find_spec("onnx") else ["test_learning.py"]
