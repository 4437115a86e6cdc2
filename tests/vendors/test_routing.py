"""Which model answers a turn: the head, its training, the choice made ahead, and RouteLLM's Controller where it is there."""

from __future__ import annotations

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from callspine.main import app
from callspine.router_settings import SHIPPED, open_route
from callspine.settings import Settings, SettingsError, load_settings, require_for_gateway
from media_gateway.agent_turn import AgentTurn, Stamps
from media_gateway.call_record import CallRecord
from media_gateway.call_tasks import CallTasks
from media_gateway.knowledge.embedding import Embedder
from media_gateway.opener_prefetch import Openers
from media_gateway.prefetch import Prefetch, plain_words
from media_gateway.replying import Replying
from media_gateway.routing.ahead import RouteAhead
from media_gateway.routing.controller import ControllerChoice, NoController
from media_gateway.routing.head import Floats, Head, features
from media_gateway.routing.labels import parse_turns, turns_of
from media_gateway.routing.own import NAME, EmbeddingRouter, OwnChoice
from media_gateway.routing.training import auc, fit
from media_gateway.speaker import Speaker
from media_gateway.speech.no_lines import NoLines
from media_gateway.stream_clock import StreamClock
from tests.core.scripts import SAMPLE, TODAY, run
from tests.gateway.fakes import FakeDialogue, FakeLink
from tests.vendors.test_llm_moves import Recording
from workflows.contracts.payloads import Attached, TurnKind

EASY = "yes sure"
HARD = (
    "the last company promised me the same and I still have a hole in the roof so why would you be "
    "any different and what happens to the loan if you go out of business"
)


class TwoWords:
    """Embeds `hard...` to one side and the rest to the other."""

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self.may = asyncio.Event()
        self.may.set()
        self.fails = False

    async def embed(self, text: str) -> Floats:
        self.embedded.append(text)
        await self.may.wait()
        if self.fails:
            raise RuntimeError("no")
        return self.embed_now(text)

    def embed_now(self, text: str) -> Floats:
        side = 1.0 if text.startswith("hard") else -1.0
        found: Floats = np.array([side] + [0.0] * 383, dtype=np.float32)
        return found


def first_dimension_head() -> Head:
    projection = np.zeros((1, 385), dtype=np.float32)
    projection[0, 0] = 4.0
    return Head(
        projection=projection,
        strong=np.ones(1, dtype=np.float32),
        fast=np.zeros(1, dtype=np.float32),
        bias=0.0,
        quantiles=np.linspace(0, 1, 101).astype(np.float32),
    )


def choice_of(embeds: TwoWords) -> OwnChoice:
    return OwnChoice(embeds, first_dimension_head(), strong="strong", fast="fast", threshold=0.5)


async def settled(route: RouteAhead) -> None:
    while route._task is not None and not route._task.done():
        await asyncio.sleep(0)


async def test_the_choice_is_there_when_the_turn_ends_and_follows_the_newest_words() -> None:
    embeds = TwoWords()
    route = RouteAhead(choice_of(embeds))
    assert route.chosen("hard words") == "", "nothing is known, and nobody waits"
    embeds.may.clear()
    for words in ("easy", "easy words", "hard", "hard words"):
        route.want(words)
        await asyncio.sleep(0)
    embeds.may.set()
    await settled(route)
    assert embeds.embedded == ["easy", "hard words"], "one at a time, then the newest"
    assert route.chosen("Hard words!") == "strong"
    assert route.chosen("hard words, and more of them") == "strong", "their beginning is known"
    assert route.chosen("another turn") == ""


async def test_the_choice_for_a_long_turns_beginning_holds_when_the_turn_grows() -> None:
    """The longer the turn the likelier it is a hard one: what is embedded is its newest words, which begin elsewhere."""
    route = RouteAhead(choice_of(TwoWords()))
    beginning = "hard " * 40
    route.want(beginning)
    await settled(route)
    assert route.chosen(beginning + "and one more") == "strong"


async def test_words_that_were_looked_up_are_not_embedded_again_for_routellm() -> None:
    embedder, runs = Embedder(), list[str]()
    run_model = embedder._embed

    def counted(texts: list[str]) -> Floats:
        runs.extend(texts)
        return run_model(texts)

    embedder._embed = counted  # type: ignore[method-assign]
    router = EmbeddingRouter(embedder, Head.load(SHIPPED))
    looked_up = asyncio.create_task(embedder.embed(plain_words(HARD)))
    await asyncio.sleep(0)
    rate = await asyncio.to_thread(router.calculate_strong_win_rate, HARD)
    await looked_up
    assert rate > 0.6
    assert runs == [plain_words(HARD)], (
        "once for the passages, and the router, asked beside it, waits for that"
    )


async def test_a_router_that_fails_leaves_the_turn_to_the_fast_model_and_is_asked_again() -> None:
    embeds = TwoWords()
    embeds.fails = True
    route = RouteAhead(choice_of(embeds))
    route.want("hard words")
    await settled(route)
    assert route.chosen("hard words") == ""
    embeds.fails = False
    route.want("hard words again")
    await settled(route)
    assert route.chosen("hard words again") == "strong"


async def test_closing_stops_a_choice_under_way() -> None:
    embeds = TwoWords()
    embeds.may.clear()
    route = RouteAhead(choice_of(embeds))
    route.want("hard")
    await asyncio.sleep(0)
    route.close()
    await settled(route)
    assert route.chosen("hard") == ""


@pytest.mark.parametrize(("words", "asked"), [("hard words", "strong"), ("easy words", "fast")])
async def test_the_turns_request_goes_to_the_chosen_client(words: str, asked: str) -> None:
    attached = Attached(
        epoch=1, next_seq=1, script_yaml="", state=run(SAMPLE), today=TODAY, facts={}, resumed=False
    )
    dialogue, tasks = FakeDialogue(), CallTasks("call")
    dialogue.replies.append(("continue_stage", {}, ["Good."]))
    replying = Replying(
        record=CallRecord(FakeLink(), "call", "stream", attached, SAMPLE),
        speaker=cast(Speaker, Recording()),
        dialogue=dialogue,
        prefetch=Prefetch(None),
        openers=Openers(SAMPLE, None, NoLines()),
        route=(route := RouteAhead(choice_of(TwoWords()))),
        clock=StreamClock(0.0),
        tasks=tasks,
    )
    replying.heard(words)
    await settled(route)
    turn = AgentTurn(
        reply_id=1, kind=TurnKind.REPLY, stamps=Stamps(speech_end=0), caller_words=words
    )
    replying.reply(turn)
    assert turn.making is not None
    await turn.making
    assert [request.client for request in dialogue.requests] == [asked]
    replying.close()
    await tasks.cancel_all()


def test_a_threshold_is_where_the_wanted_share_of_turns_begins() -> None:
    head = first_dimension_head()
    assert head.threshold(0.25) == pytest.approx(0.75)
    assert head.threshold(1.0) == 0.0
    assert head.threshold(0.0) > 1.0, "never"
    with pytest.raises(ValueError, match="from 0 to 1"):
        head.threshold(1.5)


def test_a_head_learns_what_tells_two_kinds_apart_and_says_how_well() -> None:
    chance = np.random.default_rng(3)
    prompts = chance.normal(0, 0.05, (200, 385)).astype(np.float32)
    is_strong = [n % 3 == 0 for n in range(200)]
    prompts[is_strong, 5] += 0.5
    fitted = fit(prompts, is_strong, [str(n) for n in range(200)], None)
    assert fitted.auc > 0.95
    assert fitted.head.win_rate(prompts[0]) > fitted.head.win_rate(prompts[1])
    noise = chance.normal(0, 0.05, (200, 385)).astype(np.float32)
    assert fit(noise, is_strong, [str(n) for n in range(200)], None).auc < 0.7, (
        "it learned nothing by heart"
    )
    with pytest.raises(ValueError, match="both labels"):
        fit(prompts, [True] * 200, [str(n) for n in range(200)], None)


def test_area_under_the_curve_counts_ties_half() -> None:
    labels = np.array([1.0, 1.0, 0.0, 0.0])
    assert auc(np.array([0.9, 0.8, 0.2, 0.1]), labels) == 1.0
    assert auc(np.array([0.5, 0.5, 0.5, 0.5]), labels) == 0.5


def test_the_shipped_weights_tell_a_yes_from_a_mixture_of_fears_and_questions() -> None:
    router = EmbeddingRouter(Embedder(), Head.load(SHIPPED))
    assert router.calculate_strong_win_rate(EASY) < 0.4
    assert router.calculate_strong_win_rate(HARD) > 0.6


def test_the_shipped_weights_are_those_that_the_shipped_turns_make(tmp_path: Path) -> None:
    """`callspine router train` on the shipped file; the machine's arithmetic may differ in the last places."""
    out = tmp_path / "router.npz"
    turns = SHIPPED.parent / "labelled_turns.jsonl"
    done = CliRunner().invoke(app, ["router", "train", str(turns), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "AUC" in done.output
    made, shipped, embedder = Head.load(out), Head.load(SHIPPED), Embedder()
    for words in (EASY, HARD):
        prompt = features(embedder.embed_many([plain_words(words)])[0], plain_words(words))
        assert made.win_rate(prompt) == pytest.approx(shipped.win_rate(prompt), abs=0.02)


def test_a_scripts_own_turns_are_labelled_by_rule_and_begin_the_shipped_set() -> None:
    own = list(turns_of(SAMPLE))
    shipped = parse_turns((SHIPPED.parent / "labelled_turns.jsonl").read_text(encoding="utf-8"))
    assert shipped[: len(own)] == own
    assert {turn.label for turn in own} == {"fast", "strong"}


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "{",
        '{"words": "a"}',
        '{"words": "a", "label": "slow"}',
        '{"words": "", "label": "fast"}',
    ],
)
def test_a_line_that_is_no_labelled_turn_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(ValueError, match=r"^line 2: "):
        parse_turns('{"words": "yes", "label": "fast"}\n' + line)


def test_a_file_that_holds_no_router_is_refused(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("text", b"weights"), ("other", None)):
        file = tmp_path / name
        if content is None:
            with file.open("wb") as out:
                np.savez(out, x=np.zeros(1))
        else:
            file.write_bytes(content)
        with pytest.raises(ValueError, match=r"."):
            Head.load(file)


# --- settings ----------------------------------------------------------------------------------


def settings_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **values: str) -> Settings:
    scripts = Path("sales_scripts").resolve()
    monkeypatch.chdir(tmp_path)
    for name, value in {"SCRIPTS_DIR": str(scripts), **values}.items():
        monkeypatch.setenv(f"CALLSPINE_{name.upper()}", value)
    return load_settings()


async def test_without_a_router_every_turn_is_the_first_clients(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert await open_route(settings_of(monkeypatch, tmp_path), TwoWords()) is None


async def test_our_own_router_is_calibrated_to_the_wanted_share(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for share, wanted in (("0", "fast"), ("1", "strong")):
        settings = settings_of(monkeypatch, tmp_path, router="callspine", router_strong_share=share)
        choice = await open_route(settings, Embedder())
        assert choice is not None
        assert [await choice.choose(words) for words in (EASY, HARD)] == [wanted] * 2


def test_a_router_needs_its_two_clients_and_a_foreign_one_its_threshold(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = settings_of(
        monkeypatch, tmp_path, router="routellm:mf", llm_clients="fast=openai:m,spare=openai:n"
    )
    with pytest.raises(SettingsError) as refused:
        require_for_gateway(settings)
    assert "name strong in CALLSPINE_LLM_CLIENTS" in str(refused.value)
    assert "CALLSPINE_ROUTER_THRESHOLD is not set" in str(refused.value)
    late = "strong=openai:m,fast=openai:n"
    settings = settings_of(monkeypatch, tmp_path, router="callspine", llm_clients=late)
    with pytest.raises(SettingsError, match="name `fast` first"):
        require_for_gateway(settings)
    with pytest.raises(SettingsError, match=r"^CALLSPINE_ROUTER: "):
        settings_of(monkeypatch, tmp_path, router="torch")


async def test_weights_of_no_use_are_refused_with_the_variables_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = settings_of(monkeypatch, tmp_path, router="callspine", router_model="none.npz")
    with pytest.raises(SettingsError, match=r"^CALLSPINE_ROUTER_MODEL is none.npz: "):
        await open_route(settings, TwoWords())


# --- RouteLLM ----------------------------------------------------------------------------------


async def test_without_the_extra_that_is_said_once_and_the_fast_model_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("media_gateway.routing.controller.find_spec", lambda _: None)
    settings = settings_of(monkeypatch, tmp_path, router="routellm:callspine")
    with capture_logs() as logs:
        assert await open_route(settings, TwoWords()) is None
    (told,) = [log for log in logs if log["event"] == "router_off"]
    assert "pip install 'callspine[router]'" in told["reason"]


def test_importing_the_gateway_imports_neither_routellm_nor_torch_nor_botocore() -> None:
    import subprocess

    code = (
        "import sys, callspine.gateway, media_gateway.routing.controller, media_gateway.routing.training;"
        "print([m for m in ('routellm', 'torch', 'botocore', 'litellm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """RouteLLM 0.2.0's names as far as they are used: its real ones take a gigabyte; see the test below."""

    class Router:
        def route(self, prompt: str, threshold: float, pair: Any) -> Any:
            rate = self.calculate_strong_win_rate(prompt)  # type: ignore[attr-defined]
            return pair[0] if rate >= threshold else pair[1]

    routers = ModuleType("routellm.routers.routers")
    routers.__dict__.update(
        Router=Router, ROUTER_CLS={"random": Router}, NAME_TO_CLS={Router: "random"}
    )

    class Controller:
        def __init__(
            self, names: list[str], *, strong_model: str, weak_model: str, config: Any
        ) -> None:
            self.pair = (strong_model, weak_model)
            self.routers = {
                name: routers.ROUTER_CLS[name](**config.get(name, {})) for name in names
            }

        def route(self, prompt: str, router: str, threshold: float) -> Any:
            return self.routers[router].route(prompt, threshold, self.pair)

    controller = ModuleType("routellm.controller")
    controller.__dict__["Controller"] = Controller
    package = ModuleType("routellm.routers")
    package.__dict__["routers"] = routers
    for name, module in (
        ("routellm", ModuleType("routellm")),
        ("routellm.routers", package),
        ("routellm.routers.routers", routers),
        ("routellm.controller", controller),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("media_gateway.routing.controller.find_spec", lambda _: object())
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


async def _chooses_through_the_controller() -> None:
    own = EmbeddingRouter(TwoWords(), first_dimension_head())
    choice = await ControllerChoice.open(
        router=NAME, own=own, strong="strong", fast="fast", threshold=0.5
    )
    assert await choice.choose("hard words") == "strong"
    assert await choice.choose("easy words") == "fast"


async def test_the_controller_asks_our_router(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    await _chooses_through_the_controller()


async def test_a_router_that_routellm_has_not_or_that_has_no_key_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in(monkeypatch)
    own = EmbeddingRouter(TwoWords(), first_dimension_head())
    for router, remedy in (("best", "it has"), ("mf", "set OPENAI_API_KEY")):
        with pytest.raises(NoController, match=remedy):
            await ControllerChoice.open(
                router=router, own=own, strong="strong", fast="fast", threshold=0.5
            )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(find_spec("routellm") is None, reason="needs the extra router")
async def test_routellms_own_controller_asks_our_router(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    await _chooses_through_the_controller()
