"""Files, folders and values files (flag-format.md section 1)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from flagcore.errors import FlagSetError, Problem
from flagcore.model import Limits, build_flag_set, flag_files, load, loads
from flagcore.model.values_file import read_lines

HEAD = "schema: flagcore/v1\n"
ONE = HEAD + "flags: {%s: {type: boolean, default: off}}\n"


def write(folder: Path, **files: str) -> None:
    """Write files; two underscores in a name are a slash, one a dot."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")


def problems(path: Path, limits: Limits | None = None) -> tuple[Problem, ...]:
    """Return the problems of loading."""
    with pytest.raises(FlagSetError) as caught:
        load(path, limits=limits)
    return caught.value.problems


def test_folder_in_sorted_order(tmp_path: Path):
    """All formats below a folder are one set, in the order of their paths; hidden and other files are left out."""
    write(
        tmp_path,
        b__a_yaml=ONE % "b.a",
        a_yml=ONE % "a",
        c_json='{"schema": "flagcore/v1", "flags": {"c": {"type": "boolean", "default": "on"}}}',
        b_toml='schema = "flagcore/v1"\n[flags.b]\ntype = "boolean"\ndefault = "on"\n',
        notes_txt="no flags",
        flagcore_toml="[settings]\n",
        _hidden_yaml="no: flags",
        _git__x_yaml="no: flags",
    )
    loaded = load(tmp_path)
    assert list(loaded.flag_set.flags) == ["a", "b.a", "b", "c"]
    names = [str(Path(file).relative_to(tmp_path)) for file in loaded.files]
    assert names == ["a.yml", "b/a.yaml", "b.toml", "c.json"]
    assert flag_files(tmp_path) == list(loaded.files)


def test_segments_and_attributes_are_joined(tmp_path: Path):
    """Flags may use segments and attributes of other files of the folder."""
    write(
        tmp_path,
        a_yaml=HEAD + "attributes: {x: integer}\n"
        "flags: {f: {type: boolean, default: off, rules: [{id: r, when: segment(\"s\"), serve: on}]}}\n",
        b_yaml=HEAD + "attributes: {y: string}\nsegments: {s: {when: 'x == 1 and y == \"a\"'}}\n",
    )  # fmt: skip
    loaded = load(tmp_path)
    assert loaded.flag_set.attributes == {"x": "integer", "y": "string"}


def test_key_defined_twice_names_both_places(tmp_path: Path):
    """A flag, segment or attribute defined in two files is an error with both places."""
    text = (
        HEAD + 'attributes: {x: string}\nsegments:\n  s: {when: x == "1"}\nflags:\n  f: {type: boolean, default: off}\n'
    )
    write(tmp_path, a_yaml=text, b_yaml=text)
    found = problems(tmp_path)
    assert [(problem.code, problem.path, problem.line) for problem in found] == [
        ("duplicate-key", "attributes.x", 2),
        ("duplicate-key", "segments.s", 4),
        ("duplicate-key", "flags.f", 6),
    ]
    assert all(problem.file == str(tmp_path / "b.yaml") for problem in found)
    assert f"{tmp_path / 'a.yaml'}:6:3" in found[2].message


def test_all_problems_of_all_files(tmp_path: Path):
    """Problems of every file come together, a file that cannot be read among them."""
    write(tmp_path, a_yaml="flags: [", b_yaml=HEAD + "flag: {}\n", c_json="{", d_yaml=ONE % "d")
    (tmp_path / "e.yaml").write_bytes(HEAD.encode() + b"flags: {}\n# \xff\n")
    found = problems(tmp_path)
    assert [(Path(problem.file or "").name, problem.code) for problem in found] == [
        ("a.yaml", "syntax"),
        ("b.yaml", "unknown-key"),
        ("c.json", "syntax"),
        ("e.yaml", "encoding"),
    ]
    assert found[3].line == 3


def test_references_to_a_file_that_cannot_be_read(tmp_path: Path):
    """A flag with faults is still known, so that only the faults are reported."""
    write(
        tmp_path,
        a_yaml=HEAD + "flags: {a: 1, b: {type: boolean, default: off, requires: [{flag: a, is: on}]}}\nsegments: {s: 1}\n",
        b_yaml=HEAD + "flags: {c: {type: boolean, default: off, rules: [{id: r, when: segment(\"s\"), serve: on}]}}\n",
    )  # fmt: skip
    assert [problem.path for problem in problems(tmp_path)] == ["flags.a", "segments.s"]


def test_byte_order_mark(tmp_path: Path):
    """A byte order mark before a document or values file is skipped."""
    (tmp_path / "a.yaml").write_bytes(
        b"\xef\xbb\xbf" + (HEAD + "segments: {s: {attribute: x, values_file: v.txt}}").encode()
    )
    (tmp_path / "v.txt").write_bytes(b"\xef\xbb\xbfone\n")
    assert load(tmp_path).flag_set.segments["s"].values == ("one",)


def test_nothing_there(tmp_path: Path):
    """A path that does not exist, an empty folder, and a file of another kind are clear problems."""
    assert problems(tmp_path / "nothing")[0].code == "unreadable-file"
    assert problems(tmp_path)[0].code == "no-files"
    (tmp_path / "flags.ini").write_text("", encoding="utf-8")
    assert problems(tmp_path / "flags.ini")[0].code == "unknown-format"
    assert flag_files(tmp_path) == flag_files(tmp_path / "nothing") == []


def test_document_too_large(tmp_path: Path):
    """The size of a document is a limit."""
    write(tmp_path, a_yaml=ONE % "a")
    (problem,) = problems(tmp_path / "a.yaml", Limits(document_bytes=20))
    assert problem.code == "too-large"


def test_linked_files(tmp_path: Path):
    """Links to files are followed, as configuration folders of containers are made of them; links to folders are not."""
    write(tmp_path, _data__a_yaml=ONE % "a")
    (tmp_path / "a.yaml").symlink_to(tmp_path / ".data" / "a.yaml")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert list(load(tmp_path).flag_set.flags) == ["a"]


def test_unreadable_folder(tmp_path: Path):
    """A folder that cannot be read is a problem, never silently left out."""
    write(tmp_path, a_yaml=ONE % "a", sub__b_yaml=ONE % "b")
    if os.geteuid() == 0:  # root reads everything: a link to nothing stands for a file that cannot be read
        (tmp_path / "sub" / "c.yaml").symlink_to(tmp_path / "gone")
    else:
        (tmp_path / "sub").chmod(0)
    try:
        assert problems(tmp_path)[0].code == "unreadable-file"
    finally:
        (tmp_path / "sub").chmod(0o700)


# -- values files --


def test_values_file(tmp_path: Path):
    r"""One value a line, \r\n too; blank lines and lines of # are skipped; nothing is trimmed, nothing else is a line end."""
    text = "one\r\ntwo\n\n# comment\n   \n three \n#\nfive # not a comment\nsix\u2028six\x0bsix\x85six\nlast"
    write(tmp_path, a_yaml=HEAD + "segments: {s: {attribute: x, values_file: lists/v.txt}}", lists__v_txt=text)
    loaded = load(tmp_path)
    segment = loaded.flag_set.segments["s"]
    assert segment.values == ("one", "two", " three ", "five # not a comment", "six\u2028six\x0bsix\x85six", "last")
    assert segment.values_file == "lists/v.txt"
    assert str(tmp_path / "lists" / "v.txt") in loaded.files


def test_values_file_of_one_document(tmp_path: Path):
    """The path is relative to the document, whatever the working directory; `..` is fine inside the loaded folder."""
    write(tmp_path, sub__a_yaml=HEAD + "segments: {s: {attribute: x, values_file: ../v.txt}}", v_txt="one")
    assert load(tmp_path).flag_set.segments["s"].values == ("one",)
    (problem,) = problems(tmp_path / "sub" / "a.yaml")
    assert problem.code == "outside-folder"


@pytest.mark.parametrize("name", ["/etc/hostname", "../secret.txt", "link.txt", "sub/../../secret.txt"])
def test_values_file_outside(tmp_path: Path, name: str):
    """A values file must lie inside the folder that is loaded, links resolved."""
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    write(
        tmp_path, flags__a_yaml=HEAD + f"segments: {{s: {{attribute: x, values_file: {name}}}}}", flags__sub__v_txt=""
    )
    (tmp_path / "flags" / "link.txt").symlink_to(tmp_path / "secret.txt")
    (problem,) = problems(tmp_path / "flags")
    assert (problem.code, problem.path) == ("outside-folder", "segments.s.values_file")
    assert "secret'" not in problem.message


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("missing.txt", "unreadable-file"),
        (".", "unreadable-file"),
        ('"a\\0b"', "unreadable-file"),
        ("''", "unreadable-file"),
        ("loop.txt", "unreadable-file"),
        ("bad.txt", "encoding"),
    ],
)
def test_values_file_that_cannot_be_read(tmp_path: Path, name: str, code: str):
    """Files that are missing, no files, or not UTF-8 are problems at the key `values_file`."""
    write(tmp_path, a_yaml=HEAD + f"segments: {{s: {{attribute: x, values_file: {name}}}}}")
    (tmp_path / "bad.txt").write_bytes(b"one\n\xff\n")
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    (problem,) = problems(tmp_path)
    assert (problem.code, problem.path, problem.line) == (code, "segments.s.values_file", 2)


def test_values_file_of_a_text():
    """A text or plain data has no folder, so that a values file needs `base_dir`."""
    document = {"schema": "flagcore/v1", "segments": {"s": {"attribute": "x", "values_file": "v.txt"}}}
    with pytest.raises(FlagSetError, match="base_dir"):
        build_flag_set(document)


def test_base_dir(tmp_path: Path):
    """With `base_dir` texts and plain data find their values files there."""
    write(tmp_path, v_txt="one")
    document = {"schema": "flagcore/v1", "segments": {"s": {"attribute": "x", "values_file": "v.txt"}}}
    assert build_flag_set(document, base_dir=tmp_path).flag_set.segments["s"].values == ("one",)
    text = HEAD + "segments: {s: {attribute: x, values_file: v.txt}}"
    assert loads(text, "yaml", base_dir=tmp_path).flag_set.segments["s"].values == ("one",)


def test_a_million_values():
    """A million lines are read whole."""
    content = "\n".join(f"u-{number}" for number in range(1_000_000)).encode()
    values = read_lines(content)
    assert (len(values), values[-1]) == (1_000_000, "u-999999")


def test_without_warnings(tmp_path: Path):
    """Who does not ask for warnings gets the same flags, and all the same errors."""
    rules = [
        {"id": "all", "when": 'country in ["DE", "DE"]', "serve": "on"},
        {"id": "none", "when": "false", "serve": "on"},
    ]
    document = {"schema": "flagcore/v1", "flags": {"a": {"type": "boolean", "default": "off", "rules": rules}}}
    path = tmp_path / "flags.json"
    path.write_text(json.dumps(document))
    whole, quick = load(path), load(path, warnings=False)
    assert [problem.code for problem in whole.problems] == ["duplicate-constant", "dead-condition"]
    assert (quick.flag_set, quick.problems) == (whole.flag_set, ())
    document["flags"]["a"]["default"] = "maybe"  # type: ignore[index]
    path.write_text(json.dumps(document))
    with pytest.raises(FlagSetError) as caught:
        load(path, warnings=False)
    assert [problem.code for problem in caught.value.problems] == ["unknown-variant"]
