"""Debug information that is made when it is asked for: the same bytes, and nothing before anybody asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import flagcore
from flagcore.compiler import Compiled, Options, compile_flag_set, debug_when_asked
from flagcore.engine import Engine
from flagcore.model import build_flag_set
from flagcore.snapshot.codec import decode_snapshot, encode_snapshot

_LIST = "[" + ", ".join(f'"t{number}"' for number in range(100)) + "]"
_DOCUMENT: dict[str, Any] = {
    "schema": "flagcore/v1",
    "segments": {
        "big": {"attribute": "targetingKey", "values": [f"u-{number}" for number in range(100)]},
        "outer": {"when": 'segment("big") and country == "DE"'},
    },
    "flags": {
        "z": {"type": "boolean", "default": "off", "rules": [{"id": "r", "when": f"tenant in {_LIST}", "serve": "on"}]},
        "shadowed": {
            "type": "boolean",
            "default": "off",
            "rules": [
                {"id": "all", "when": "true", "serve": "on"},
                {"id": "never", "when": f'segment("outer") or tags contains {_LIST}', "serve": "on"},
            ],
        },
        "a": {"type": "boolean", "default": "off", "rules": [{"id": "r", "percent": 20, "serve": "on"}]},
    },
}
_DEAR = "(a|b)*a(a|b){40}"


def _compiled(document: dict[str, Any], **more: Any) -> Compiled:
    return compile_flag_set(build_flag_set(document).flag_set, debug="when asked", **more)


def _changed() -> dict[str, Any]:
    """The document with another `outer`."""
    return {**_DOCUMENT, "segments": {**_DOCUMENT["segments"], "outer": {"when": 'segment("big") and country == "AT"'}}}


def test_it_is_what_is_made_at_once() -> None:
    """Snapshots are equal, and files of them too; the order is that of the programs."""
    made = compile_flag_set(build_flag_set(_DOCUMENT).flag_set).snapshot
    asked = _compiled(_DOCUMENT).snapshot
    assert list(asked.debug) == list(asked.programs) == list(made.debug)
    assert len(asked.debug) == 3
    assert encode_snapshot(asked) == encode_snapshot(made)
    assert decode_snapshot(encode_snapshot(asked)) == made


def test_nothing_is_made_before_anybody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling and loading make none; explaining makes that of one flag, once."""
    made: list[str] = []
    describe = debug_when_asked.describe_flag

    def counted(flag: Any, *rest: Any) -> Any:
        made.append(flag.key)
        return describe(flag, *rest)

    monkeypatch.setattr(debug_when_asked, "describe_flag", counted)
    engine = Engine()
    engine.load(_compiled(_DOCUMENT).snapshot)
    assert made == []
    for _ in range(2):
        engine.explain("z", {"targetingKey": "u", "tenant": "t7"})
    assert made == ["z"]


@pytest.mark.parametrize("key", list(_DOCUMENT["flags"]))
def test_explanations_are_the_same(key: str) -> None:
    """Also of a rule that no walk reaches: the value sets that its tests ask are part of the snapshot."""
    engines = [Engine(), Engine()]
    engines[0].load(compile_flag_set(build_flag_set(_DOCUMENT).flag_set).snapshot)
    engines[1].load(_compiled(_DOCUMENT).snapshot)
    context = {"targetingKey": "u-7", "tenant": "t7", "tags": ["t7"], "country": "DE"}
    made, asked = (engine.explain(key, context, 0).to_dict() for engine in engines)
    assert made == asked
    assert not asked["note"]


def test_a_later_revision_explains_what_it_holds() -> None:
    """A changed segment shows in the explanation of flags that are compiled again, and of no earlier revision."""
    first = _compiled(_DOCUMENT)
    second = _compiled(_changed(), previous=first, revision=2)
    assert second.recompiled == {"shadowed"}
    assert second.snapshot == compile_flag_set(build_flag_set(_changed()).flag_set, revision=2).snapshot
    assert first.snapshot.debug == compile_flag_set(build_flag_set(_DOCUMENT).flag_set).snapshot.debug


def test_other_debug_information_compiles_everything() -> None:
    """Results with debug information made and asked for are not mixed."""
    made = compile_flag_set(build_flag_set(_DOCUMENT).flag_set)
    assert _compiled(_DOCUMENT, previous=made).recompiled == set(_DOCUMENT["flags"])


def test_a_flag_whose_tests_cannot_be_built_has_none() -> None:
    """A disabled flag is compiled without its rules; whoever asks for their tests gets none, and others theirs."""
    dark = {
        "type": "boolean",
        "default": "off",
        "enabled": False,
        "rules": [{"id": "r", "when": f'x matches "{_DEAR}"', "serve": "on"}],
    }
    document = {**_DOCUMENT, "flags": {**_DOCUMENT["flags"], "dark": dark}}
    debug = _compiled(document, options=Options(automaton_states=50)).snapshot.debug
    assert "dark" not in debug
    assert debug.get("dark") is None
    assert debug.get("missing") is None
    assert set(debug) == set(_DOCUMENT["flags"])


def test_clients_of_files_explain(tmp_path: Path) -> None:
    """What `connect` compiles can be explained as before."""
    file = tmp_path / "flags.yaml"
    file.write_text(
        "schema: flagcore/v1\n"
        "flags:\n"
        '  f: {type: boolean, default: off, rules: [{id: r, when: country == "DE", serve: on}]}\n',
        encoding="utf-8",
    )
    with flagcore.connect(str(file), watch=False) as client:
        assert 'country == "DE"' in str(client.explain("f", {"country": "DE"}))
