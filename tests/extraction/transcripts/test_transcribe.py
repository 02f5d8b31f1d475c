"""Recognisers, on tiny ones of the real classes with real tokenizer files."""

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from msadg.errors import FeatureError, UnknownNameError, UsageError
from msadg.extraction.audio import windows
from msadg.extraction.media.sound import Sound
from msadg.extraction.transcripts.transcribe import Transcriber, make_transcriber
from msadg.types import Clip, Word
from tests.extraction.sounds import RATE_HZ, tiny_wav2vec2_config
from tests.media import write_clip

CLIP = Clip(clip_id="mine/1", clip_path="some.mp4")
LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFG"]
STATE_SECONDS = 0.02
WHISPER_SPECIAL = ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|translate|>", "<|notimestamps|>"]


def noise(seconds):
    return 0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE_HZ)).astype(np.float32)


@pytest.fixture
def hear(monkeypatch):
    """Transcribe samples as if they were a clip's, which begins at second 3 of its file."""

    def heard(transcriber, samples):
        monkeypatch.setattr(windows, "read_sound", lambda *_, **__: Sound(samples, RATE_HZ, 3.0))
        return transcriber.transcribe(CLIP)

    return heard


@pytest.fixture(scope="module")
def tiny_ctc(tmp_path_factory):
    """A wav2vec 2.0 recogniser of width 8 with random weights, that spells with seven letters."""
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    folder = tmp_path_factory.mktemp("models") / "tiny-ctc"
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({letter: at for at, letter in enumerate(LETTERS)}))
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=False).save_pretrained(folder)
    config = tiny_wav2vec2_config(vocab_size=len(LETTERS), num_hidden_layers=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Wav2Vec2ForCTC(config)
        torch.nn.init.normal_(model.lm_head.weight)
        model.lm_head.bias.data[1:4] = -100  # letters, blanks and spaces only
        model.save_pretrained(folder)
    return folder


def tiny_whisper(folder, *, has_word_times, is_multilingual=True):
    """A Whisper of width 8 that hears "hello" for as long as it may speak: nine words at once."""
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )

    tokenizer = WhisperTokenizer(vocab={"Ġhello": 0, "Ġworld": 1, "<|endoftext|>": 2}, merges=[])
    tokenizer.add_special_tokens({"extra_special_tokens": WHISPER_SPECIAL})
    tokenizer.add_tokens([f"<|{at * 0.02:.2f}|>" for at in range(1501)])
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=8).save_pretrained(folder)
    named = dict(zip(WHISPER_SPECIAL, tokenizer.convert_tokens_to_ids(WHISPER_SPECIAL), strict=True))
    ids = {
        "pad_token_id": 2,
        "bos_token_id": 2,
        "eos_token_id": 2,
        "decoder_start_token_id": named["<|startoftranscript|>"],
    }
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=8,
        d_model=8,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_target_positions=64,
        **ids,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = WhisperForConditionalGeneration(config)
    with torch.no_grad():  # whatever the sound, the state points at the first word
        model.model.decoder.layer_norm.weight.zero_()
        model.model.decoder.layer_norm.bias.fill_(1.0)
        model.model.decoder.embed_tokens.weight[0] = 1.0
    model.generation_config = GenerationConfig(
        **ids,
        max_length=12,
        no_timestamps_token_id=named["<|notimestamps|>"],
        is_multilingual=is_multilingual,
        lang_to_id={"<|en|>": named["<|en|>"]},
        task_to_id={"transcribe": named["<|transcribe|>"], "translate": named["<|translate|>"]},
        **({"alignment_heads": [[0, 0], [0, 1]]} if has_word_times else {}),
    )
    model.save_pretrained(folder)
    return folder


def spelled(folder, samples):
    """Letters, and the words with their first and past-the-last state, by hand from the model's own scores."""
    from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    prepared = Wav2Vec2FeatureExtractor(do_normalize=True)(samples, sampling_rate=RATE_HZ, return_tensors="pt")
    with torch.no_grad():
        best = Wav2Vec2ForCTC.from_pretrained(folder).eval()(prepared.input_values).logits[0].argmax(-1).tolist()
    words, word, previous = [], None, None
    for at, number in enumerate(best):
        letter, is_new = LETTERS[number], number != previous
        previous = number
        if letter == "|":
            word = None
        elif letter != "<pad>":
            if word is None:
                word = ["", at, at]
                words.append(word)
            word[0] += letter if is_new else ""
            word[2] = at + 1
    return words


def test_a_ctc_model_gives_the_words_that_its_scores_spell_and_their_times(tiny_ctc, hear):
    samples = noise(3)
    transcriber = make_transcriber(str(tiny_ctc))
    made = hear(transcriber, samples)
    expected = spelled(tiny_ctc, samples)
    assert isinstance(transcriber, Transcriber)
    assert len(expected) > 3
    assert made.text.split() == [word for word, _, _ in expected]
    assert [word.text for word in made.words] == [word for word, _, _ in expected]
    assert_allclose([w.start_seconds for w in made.words], [3 + STATE_SECONDS * s for _, s, _ in expected])
    assert_allclose([w.end_seconds for w in made.words], [3 + STATE_SECONDS * e for _, _, e in expected])


def test_a_ctc_model_hears_a_long_sound_in_chunks(tiny_ctc, hear, monkeypatch):
    transcriber = make_transcriber(str(tiny_ctc))
    heard = []
    forward = transcriber._pipeline.model.forward
    monkeypatch.setattr(
        transcriber._pipeline.model,
        "forward",
        lambda input_values, **rest: heard.append(input_values.shape[1]) or forward(input_values, **rest),
    )
    made = hear(transcriber, noise(45))
    assert max(heard) == 20 * RATE_HZ
    starts = [word.start_seconds for word in made.words]
    assert starts == sorted(starts)
    assert 3 <= starts[0] < 5
    assert 46 < made.words[-1].end_seconds <= 48


def test_a_whisper_model_gives_its_words_and_their_times_in_the_file(tmp_path, hear):
    made = hear(make_transcriber(str(tiny_whisper(tmp_path / "w", has_word_times=True))), noise(2))
    assert set(made.text.split()) == {"hello"}
    assert made.text == " ".join(word.text for word in made.words)
    times = [moment for word in made.words for moment in (word.start_seconds, word.end_seconds)]
    assert times == sorted(times)
    assert times[0] >= 3
    assert times[-1] <= 5


def test_a_whisper_model_without_the_heads_for_it_gives_words_without_times(tmp_path, hear):
    transcriber = make_transcriber(str(tiny_whisper(tmp_path / "w", has_word_times=False)), "en")
    short, long = hear(transcriber, noise(2)), hear(transcriber, noise(31))
    assert set(short.text.split()) == {"hello"}
    assert short.words == long.words == ()
    assert len(long.text) > len(short.text)  # it went on after its first thirty seconds


def test_a_language_is_told_only_to_a_model_that_can_be_told(tiny_ctc, tmp_path, hear):
    with pytest.raises(UsageError, match="leave the language out"):
        hear(make_transcriber(str(tiny_ctc), "en"), noise(1))
    english = tiny_whisper(tmp_path / "en", has_word_times=False, is_multilingual=False)
    with pytest.raises(UsageError, match="leave the language out"):
        hear(make_transcriber(str(english), "de"), noise(1))
    many = tiny_whisper(tmp_path / "many", has_word_times=False)
    with pytest.raises(UnknownNameError, match="unknown language of Whisper 'englisch'; did you mean 'english'"):
        hear(make_transcriber(str(many), "englisch"), noise(1))


def test_a_file_is_heard(tiny_ctc, tmp_path):
    clip = Clip(clip_id="mine/1", clip_path=str(write_clip(tmp_path / "tone.mp4", seconds=1, video=False)))
    transcriber = make_transcriber(str(tiny_ctc))
    assert transcriber.transcribe(clip) == make_transcriber(str(tiny_ctc)).transcribe(clip)


def test_the_identity_tells_weights_and_language(tiny_ctc):
    identity = make_transcriber(str(tiny_ctc)).identity
    assert identity["model"] == "tiny-ctc"
    assert len(identity["weights_sha256"]) == 64
    assert identity["language"] is None


def test_a_recogniser_that_cannot_be_had_is_told_with_what_to_do():
    with pytest.raises(FeatureError, match=r"speech recogniser 'org/never-published' cannot be had.*local folder"):
        dict(make_transcriber("org/never-published").identity)


def test_a_model_that_recognises_nothing_is_refused(tmp_path, hear):
    from transformers import BertConfig

    BertConfig().save_pretrained(tmp_path / "bert")
    with pytest.raises(FeatureError, match=r"\(bert\) is no recogniser"):
        hear(make_transcriber(str(tmp_path / "bert")), noise(1))


def test_faster_whisper_that_is_not_installed_is_told_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(UsageError, match=r"pip install 'msadg\[faster-whisper\]'"):
        make_transcriber("faster-whisper:small")
    with pytest.raises(UsageError, match="names no model"):
        make_transcriber("faster-whisper:")


def test_what_faster_whisper_says_becomes_a_transcript(monkeypatch, tmp_path, hear):
    asked = {}

    class WhisperModel:
        def __init__(self, folder, **options):
            asked.update(folder=folder, **options)

        def transcribe(self, samples, **options):
            asked.update(num_samples=len(samples), **options)
            words = [SimpleNamespace(word=" Oh", start=0.5, end=0.75), SimpleNamespace(word=" no.", start=0.75, end=1)]
            silent = SimpleNamespace(text=" ...", words=None)
            return iter([SimpleNamespace(text=" Oh no.", words=words), silent]), None

    def download_model(name, revision=None, local_files_only=False):
        if name != "small":
            raise ValueError(f"Invalid model size '{name}'")
        return str(tmp_path)

    stub = ModuleType("faster_whisper")
    stub.__spec__ = SimpleNamespace(name="faster_whisper")
    stub.__version__, stub.WhisperModel, stub.download_model = "1.2.3", WhisperModel, download_model
    monkeypatch.setitem(sys.modules, "faster_whisper", stub)
    (tmp_path / "model.bin").write_bytes(b"weights")
    transcriber = make_transcriber("faster-whisper:small", "en")
    made = hear(transcriber, noise(2))
    assert made.text == "Oh no. ..."
    assert made.words == (Word("Oh", 3.5, 3.75), Word("no.", 3.75, 4.0))
    assert (asked["num_samples"], asked["language"], asked["temperature"]) == (2 * RATE_HZ, "en", 0.0)
    # sha256 of b"weights", by sha256sum.
    assert transcriber.identity == {
        "model": "faster-whisper:small",
        "package_version": "1.2.3",
        "weights_sha256": "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c",
        "language": "en",
    }
    with pytest.raises(FeatureError, match="faster-whisper:smal cannot be had: Invalid model size 'smal'"):
        dict(make_transcriber("faster-whisper:smal").identity)
