"""Domain-generalised multimodal sentiment analysis: train on some corpora, trust the score on one never seen."""

from importlib.metadata import version

__version__ = version("msadg")
