"""Which layer of a text encoder is read: ``minilm`` is its last, ``minilm:layer=4`` its fourth."""

from __future__ import annotations

from dataclasses import dataclass

from msadg.errors import UsageError
from msadg.extraction.pretrained import short_name


@dataclass(frozen=True)
class TextModel:
    """A text encoder as it is named on the command line, in recipes and in runs.

    Example:
        >>> TextModel.parse("minilm:layer=4")
        TextModel(model='minilm', layer=4)
        >>> TextModel.parse("minilm:layer=4").short, TextModel.parse("google/electra-base-discriminator").short
        ('minilm-layer4', 'electra')
    """

    model: str
    layer: int | None = None
    """0 is the embeddings, 1 the first Transformer layer; None is the last, whatever its number."""

    @classmethod
    def parse(cls, text: str) -> TextModel:
        """Read ``model`` or ``model:layer=N``.

        Raises:
            UsageError: another option, or no whole number from 0.
        """
        model, colon, option = text.partition(":")
        if not colon:
            return cls(text)
        key, _, value = (part.strip() for part in option.partition("="))
        if key != "layer" or not value.isdecimal():
            raise UsageError(
                f"text encoder {text!r}: {option!r} is no option of it; expected layer=N, N from 0 (the embeddings) to "
                f"the number of its layers, as in {model}:layer=4, or {model} alone for the last"
            )
        return cls(model, int(value))

    @property
    def short(self) -> str:
        """How it is called in folders and tables."""
        return short_name(self.model) + ("" if self.layer is None else f"-layer{self.layer}")
