"""`msadg extract`, called as the command calls it."""

from __future__ import annotations

import csv
import json
import sys
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from msadg.cli import main
from msadg.cli.options import progress_bar, told_progress
from msadg.corpora.manifest import ManifestCorpus, read_clips
from msadg.errors import FeatureError, MediaError, MsadgWarning, StoreError
from msadg.extraction.catalog import EXTRACTORS
from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.engines.local import LocalEngine, ThisProcess
from msadg.store import Store
from msadg.types import Clip, Features, Word
from tests.media import write_clip

WORKER = ["--workers", "1"]
"""Works in this process here, where the toys are known; ``tests/extraction/engines`` has it start one."""


@dataclass(frozen=True)
class ToyConfig:
    scale: float = 1.0
    """Of the values."""


class Toy(ClipExtractor):
    """A step of half a second for each byte of the file; the byte "0" was not seen, an empty file is lost."""

    modality, kind, version, Config, dim = "video", "toy", "1", ToyConfig, 1

    def features_of(self, clip: Clip) -> Features:
        content = Path(clip.clip_path).read_bytes()
        if not content or Path("power.cut").exists():
            raise MediaError("open", f"{clip.clip_path} is empty")
        values = np.frombuffer(content, np.uint8).astype(np.float32)[:, None] * self.config.scale
        valid = values[:, 0] != 48 * self.config.scale
        start = np.arange(len(content)) / 2
        return Features(np.where(valid[:, None], values, 0), valid, np.stack([start, start + 0.5], axis=1))


@pytest.fixture(autouse=True)
def _a_single_worker_is_this_process(monkeypatch):
    def run(self, extractor, clips):
        return (ThisProcess().run if self.num_workers == 1 else partial(real, self))(extractor, clips)

    real = LocalEngine.run
    monkeypatch.setattr(LocalEngine, "run", run)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MSADG_DATA", raising=False)
    # The catalogue imports by name; this module has another one under pytest.
    monkeypatch.setitem(sys.modules, "toy_extractors", SimpleNamespace(Toy=Toy))
    monkeypatch.setitem(EXTRACTORS["video"], "toy", "toy_extractors:Toy")
    warnings.simplefilter("default", MsadgWarning)  # the command prints them; the outer fixture restores


def write_files(folder: str, **contents: str) -> None:
    Path(folder).mkdir(exist_ok=True)
    for name, content in contents.items():
        Path(folder, f"{name}.mp4").write_text(content)


def write_manifest(**texts: str) -> None:
    """clips/a.mp4 ... with labels: train negative, train positive, dev neutral, test positive."""
    labels = [("train", -2), ("train", 1.5), ("dev", 0), ("test", 3)]
    with Path("clips/manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["clip_id", "video_id", "text", "label", "split", "clip_path"])
        for (name, text), (split, label) in zip(texts.items(), labels, strict=False):
            writer.writerow([name, f"v{name}", text, label, split, f"{name}.mp4"])


def table_of(printed: str) -> list[list[str]]:
    """The cells of what rich drew."""
    rows = [line.strip("│┃ ").replace("┃", "│").split("│") for line in printed.splitlines() if line[:1] in "│┃"]
    return [[cell.strip() for cell in row] for row in rows]


def test_a_folder_of_clips_becomes_a_store_a_manifest_and_a_table(capsys):
    write_files("my clips", **{"it's 1": "ab0c", "名": "0000"})
    assert main(["extract", "my clips", "--video", "toy:scale=2", "-o", "out", *WORKER]) == 0
    store = Store(Path("out/my-clips/video-toy-scale=2"))
    assert store.features("my-clips/clip/it's 1").values.ravel().tolist() == [194, 196, 0, 198]
    assert read_clips(Path("out/my-clips/manifest.csv"), "my-clips") == [
        Clip(clip_id=f"my-clips/clip/{name}", clip_path=str(Path(f"my clips/{name}.mp4").resolve()))
        for name in ("it's 1", "名")
    ]
    printed = capsys.readouterr()
    # 8 steps of half a second, 3 of them seen; all in 4 s.
    cells = ["2", "2", "0", "37.5 %", "4.0 s"]
    assert table_of(printed.out)[1:] == [["-", "-", *cells], ["all", "", *cells]]
    assert "2 of 2 clips stored, 0 lost; 8 steps of 1 float16 in all" in printed.out


def test_what_was_lost_is_told_by_split_class_and_stage_and_the_status_is_one(capsys):
    write_files("clips", a="aa", b="", c="0", d="")
    write_manifest(a="so bad", b="fine", c="hm", d="great")
    assert main(["extract", "mine=clips/manifest.csv", "--video", "toy", *WORKER]) == 1
    printed = capsys.readouterr()
    assert table_of(printed.out)[1:] == [
        ["train", "negative", "1", "1", "0", "100.0 %", "1.0 s"],
        ["train", "positive", "1", "0", "1", "-", "-"],
        ["dev", "neutral", "1", "1", "0", "0.0 %", "0.5 s"],
        ["test", "positive", "1", "0", "1", "-", "-"],
        ["all", "", "4", "2", "2", "66.7 %", "1.5 s"],
    ]
    assert "lost by stage: open 2" in printed.err
    assert "lost mine/train/b (open): clips/b.mp4 is empty" in printed.err
    assert "2 lost in all; each has a line in stores/mine/video-toy/losses.csv" in printed.err
    with Path("stores/mine/video-toy/losses.csv").open(newline="") as file:
        assert list(csv.reader(file))[2] == ["mine/test/d", "test", "positive", "open", "clips/d.mp4 is empty"]


def test_lost_clips_are_tried_again_when_asked():
    write_files("clips", a="aa", b="b")
    command = ["extract", "clips", "--video", "toy", *WORKER]
    Path("power.cut").touch()
    assert main(command) == 1
    Path("power.cut").unlink()
    assert main(command) == 1
    assert main([*command, "--retry-lost"]) == 0
    assert Store(Path("stores/clips/video-toy")).clip_ids == ("clips/clip/a", "clips/clip/b")


def test_clips_whose_file_changed_are_made_anew_when_asked(capsys):
    write_files("clips", a="aa")
    command = ["extract", "clips", "--video", "toy", *WORKER]
    assert main(command) == 0
    Path("clips/a.mp4").write_text("bbb")
    assert main(command) == 1
    assert "stores/clips/video-toy: 1 clip changed, transcript or file (first: clips/clip/a" in (
        told := capsys.readouterr().err
    )
    assert "`msadg extract --overwrite`" in told
    assert main([*command, "--overwrite"]) == 0
    assert len(Store(Path("stores/clips/video-toy")).features("clips/clip/a").values) == 3


def test_what_cannot_be_extracted_does_not_keep_the_rest_from_it(capsys, monkeypatch):
    class Weightless(Toy):
        kind = "weightless"

        def input_of(self, clip: Clip) -> bytes:
            raise FeatureError("its weights cannot be had")

    sys.modules["toy_extractors"].Weightless = Weightless
    monkeypatch.setitem(EXTRACTORS["audio"], "weightless", "toy_extractors:Weightless")
    monkeypatch.setitem(EXTRACTORS["audio"], "toy", "toy_extractors:Toy")
    write_files("one", a="aa", b="b")
    write_files("two", a="aa")
    command = ["extract", "one", "two", "--video", "toy", *WORKER]
    assert main(command) == 0
    write_files("one", a="a", b="bb")
    write_files("two", c="c")
    capsys.readouterr()
    assert main([*command, "--audio", "weightless"]) == 1
    *_, weights, changed = capsys.readouterr().err.splitlines()
    said = "msadg extract: not done: one audio-weightless, two audio-weightless: its weights cannot be had"
    assert weights == said
    assert changed.startswith("msadg extract: not done: one video-toy: stores/one/video-toy: 2 clips changed")
    assert set(Store(Path("stores/two/video-toy")).clip_ids) == {"two/clip/a", "two/clip/c"}


def test_a_recogniser_that_cannot_be_had_keeps_nothing_from_being_extracted(ear, monkeypatch, capsys):
    write_files("clips", a="wonderful")
    command = ["extract", "clips", "--video", "toy", "--transcribe", "ear", *WORKER]
    assert main(command) == 0
    write_files("clips", b="dreadful")

    def cannot_be_had(model: str, language: str | None) -> None:
        raise FeatureError("there is no network")

    monkeypatch.setattr(sys.modules["msadg.extraction.transcripts.transcribe"], "make_transcriber", cannot_be_had)
    assert main(command) == 1
    assert "not done: clips --transcribe: there is no network" in capsys.readouterr().err
    clips = read_clips(Path("stores/clips/manifest.csv"), "clips")
    assert [clip.text for clip in clips] == ["wonderful", ""]
    assert len(Store(Path("stores/clips/video-toy"))) == 2


def test_a_rerun_with_nothing_to_do_prints_one_line_a_store(capsys):
    write_files("clips", a="aa", b="0")
    command = ["extract", "clips", "--video", "toy", *WORKER]
    assert main(command) == 0
    capsys.readouterr()
    assert main(command) == 0
    said = "stores/clips/video-toy: 2 of 2 clips stored, 0 lost; 3 steps of 1 float16 in all\n"
    assert capsys.readouterr().out == said


def test_clips_that_are_no_longer_in_the_target_are_counted_apart(capsys):
    write_files("clips", a="aa", b="bbb", c="c")
    command = ["extract", "clips", "--video", "toy", *WORKER]
    assert main(command) == 0
    Path("clips/b.mp4").unlink()
    capsys.readouterr()
    assert main(command) == 0
    said = "2 of 2 clips stored, 0 lost; 3 steps of 1 float16 in all; the store knows 1 more that is not among these\n"
    assert capsys.readouterr().out.endswith(said)


def test_auto_is_said_and_stored_by_the_name_that_it_stands_for(capsys, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(Path("no cache").resolve()))
    write_files("clips", a="no video")
    assert main(["extract", "clips", "--video", "auto:rate=10", *WORKER]) == 1
    said = "--video auto:rate=10 is hog:rate=10: the weights of vggface2 were not downloaded"
    assert said in capsys.readouterr().err
    assert Path("stores/clips/video-hog-rate=10").is_dir()


def test_a_bar_that_never_moved_leaves_nothing_behind_an_error(capsys):
    with pytest.raises(StoreError), told_progress("clips"):
        raise StoreError("damaged")
    assert "0/?" not in capsys.readouterr().err


def test_clips_that_take_a_minute_each_have_a_rate_and_a_time_left():
    now = [0.0]
    with progress_bar() as bar:
        bar.get_time = lambda: now[0]
        task = bar.add_task("slow", total=10, note="")
        for _ in range(3):
            now[0] += 60
            bar.update(task, advance=1)
        # A clip each 60 s, and seven to go.
        assert (bar.tasks[0].speed, bar.tasks[0].time_remaining) == (pytest.approx(1 / 60), pytest.approx(420))


def test_one_split_of_a_domain_can_be_extracted_but_its_manifest_has_all():
    write_files("clips", a="a", b="b", c="c")
    write_manifest(a="one", b="two", c="three")
    assert main(["extract", "clips", "--domain", "mine", "--video", "toy", "--split", "dev", *WORKER]) == 0
    assert Store(Path("stores/mine/video-toy")).clip_ids == ("mine/dev/c",)
    original = list(ManifestCorpus(Path("clips/manifest.csv").resolve(), name="mine").all_utterances())
    assert list(ManifestCorpus(Path("stores/mine/manifest.csv"), name="mine").all_utterances()) == original


def test_a_text_only_corpus_gets_no_manifest(offline_encoder):
    Path("mine.csv").write_text("clip_id,video_id,text,label,split\na,v,so good,2,train\n")
    assert main(["extract", "mine.csv", "--text", offline_encoder, "--lowercase"]) == 0
    assert [path.name for path in Path("stores/mine").iterdir()] == ["text-minilm-lowercase"]


@pytest.fixture
def ear(monkeypatch):
    """A speech recogniser that hears what the file says; "0" cannot be listened to."""

    def transcribe(clip: Clip) -> SimpleNamespace:
        said = Path(clip.clip_path).read_text()
        if said == "0":
            raise MediaError("sound", "there is no sound in it")
        return SimpleNamespace(text=said, words=(Word(said, 0.0, 0.5),))

    asked = []

    def make_transcriber(model: str, language: str | None) -> SimpleNamespace:
        asked.append((model, language))
        return SimpleNamespace(identity={"model": model}, transcribe=transcribe)

    module = ModuleType("msadg.extraction.transcripts.transcribe")
    module.make_transcriber = make_transcriber
    monkeypatch.setitem(sys.modules, "msadg.extraction.transcripts.transcribe", module)
    return asked


def test_missing_transcripts_are_recognised_where_asked_and_said(ear, capsys):
    write_files("clips", a="wonderful", b="dreadful", c="0")
    write_manifest(a="", b="its own words", c="")
    command = ["extract", "mine=clips/manifest.csv", "--video", "toy", *WORKER]
    assert main([*command, "--transcribe", "ear", "--language", "en"]) == 1
    assert ear == [("ear", "en")]
    told = capsys.readouterr().err
    assert "mine: 2 of 3 clips have no transcript" in told
    assert "no transcript of mine/dev/c (sound): there is no sound in it" in told
    assert 'mine: 1 transcripts are recognised speech, by {"model": "ear"}' in told
    assert "msadg train --source mine=stores/mine/manifest.csv" in told
    corpus = ManifestCorpus(Path("stores/mine/manifest.csv"), name="mine", allow_empty_text=True)
    clips = list(corpus.all_utterances())
    assert [clip.text for clip in clips] == ["wonderful", "its own words", ""]
    assert clips[0].words == (Word("wonderful", 0.0, 0.5),)
    assert [Path(name).name for name in json.loads(Path("stores/mine/.hashes.json").read_text())] == ["a.mp4", "c.mp4"]
    lines = Path("stores/mine/transcripts.jsonl").read_text().splitlines()
    assert [json.loads(line)["model"] for line in lines] == [{"model": "ear"}] * 2

    # Without --transcribe they stay, and that is said too.
    assert main(command) == 0
    assert "1 transcripts are recognised speech" in capsys.readouterr().err
    assert (
        list(ManifestCorpus(Path("stores/mine/manifest.csv"), name="mine", allow_empty_text=True).all_utterances())
        == clips
    )


def test_an_empty_transcript_is_a_text_loss_and_the_way_out_is_told(capsys, offline_encoder):
    write_files("clips", a="aa", b="bb")
    Path("clips/a.txt").write_text("so good")
    assert main(["extract", "clips", "--video", "toy", "--text", offline_encoder, *WORKER]) == 1
    told = capsys.readouterr().err
    assert "lost clips/clip/b (transcript): the transcript is empty" in told
    assert "1 clips have no transcript; --transcribe MODEL recognises one" in told
    assert Store(Path("stores/clips/text-minilm")).clip_ids == ("clips/clip/a",)
    assert len(Store(Path("stores/clips/video-toy"))) == 2


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["mosi"], "nothing to extract"),
        (["mossi", "--video", "toy"], "unknown corpus 'mossi'; did you mean 'mosi'?"),
        (["clips", "--video", "tyo"], "unknown video extractor 'tyo'; did you mean 'toy'?"),
        (["clips", "--video", "simulated"], "`msadg train` makes them itself"),
        (["clips", "--video", "toy:scales=1"], "unknown key 'scales'"),
        (["clips", "--video", "toy", "--workers", "0"], "0 workers"),
        (["clips", "--video", "toy", "--ray-address", "auto"], "the local engine joins no cluster"),
        (["clips", "mine=clips", "--video", "toy", "--domain", "d"], "--domain names one domain"),
        (["clips", "clips", "--video", "toy"], "two targets are one domain"),
        (["clips", "--video", "toy", "--lowercase"], "--tokens and --lowercase are about the text"),
        (["clips", "--video", "toy", "--language", "en"], "--language is for --transcribe"),
        (["clips", "--video", "toy", "--split", "dev"], "clips has no clips in split 'dev'"),
    ],
)
def test_what_cannot_be_is_one_clear_sentence(command: list[str], said: str, capsys):
    write_files("clips", a="aa")
    assert main(["extract", *command]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_the_offline_extractors_work_on_a_real_face_and_the_store_does_not_depend_on_the_workers(capsys):
    write_clip(Path("clips/good one.mp4"), seconds=1.0)
    write_clip(Path("clips/silent.mp4"), seconds=0.6, sound=False)
    Path("clips/broken.mp4").write_text("no video")
    command = ["extract", "clips", "--video", "hog", "--audio", "logmel"]
    assert main([*command, "-o", "one", *WORKER]) == 1
    assert main([*command, "-o", "two", "--workers", "2"]) == 1
    video = Store(Path("one/clips/video-hog"))
    assert set(video.clip_ids) == {"clips/clip/good one", "clips/clip/silent"}
    assert len(video.features("clips/clip/good one").values) == 5
    assert {c: loss.stage for c, loss in Store(Path("one/clips/audio-logmel")).losses.items()} == {
        "clips/clip/broken": "open",
        "clips/clip/silent": "sound",
    }
    files = [path.relative_to("one") for path in sorted(Path("one").rglob("*")) if path.is_file()]
    assert files and all(Path("one", file).read_bytes() == Path("two", file).read_bytes() for file in files)


def test_folders_in_the_style_of_mosi_and_of_meld_are_found_by_their_manifests():
    """MOSI: full videos and times, and a clip of its own; MELD: the same name in three folders."""
    write_clip(Path("mosi-like/Raw/Video/Full/vid A.mp4"), seconds=3.0, video=False)
    write_clip(Path("mosi-like/vidB[7].mp4"), seconds=0.65, video=False)
    Path("mosi-like/clips.csv").write_text(
        "clip_id,video_id,clip_no,text,label,split,start_s,end_s\n"
        "vid A[1],vid A,1,so good,2.0,train,0.4,1.4\nvid A[2],vid A,2,so bad,-2.0,train,1.4,2.8\n"
        "vidB[7],vidB,7,hm,0,test,30,30.8\n"
    )
    for folder, seconds in (
        ("train_splits", 0.25),
        ("dev_splits_complete", 0.45),
        ("output_repeated_splits_test", 0.85),
    ):
        write_clip(Path("meld-like", folder, "dia0_utt0.mp4"), seconds=seconds, video=False)
    rows = [f"{split}_dia0_utt0,{split}_dia0,hi,neutral,{split},100,200\n" for split in ("train", "dev", "test")]
    Path("meld-like/clips.csv").write_text("clip_id,video_id,text,sentiment,split,start_s,end_s\n" + "".join(rows))
    assert main(["extract", "mosi-like", "meld-like", "--audio", "logmel", *WORKER]) == 0
    mosi, meld = (Store(Path(f"stores/{name}-like/audio-logmel")) for name in ("mosi", "meld"))
    # Steps of 0.2 s; the encoder of the clips may add up to 0.13 s of silence.
    lengths = mosi.lengths([f"mosi-like/{clip}" for clip in ("train/vid A[1]", "train/vid A[2]", "test/vidB[7]")])
    assert lengths.tolist() == [5, 7, 4]
    assert mosi.marks("mosi-like/train/vid A[2]")[:2, 0].tolist() == pytest.approx([1.4, 1.6])
    assert meld.lengths([f"meld-like/{s}/{s}_dia0_utt0" for s in ("train", "dev", "test")]).tolist() == [2, 3, 5]
