"""The ``extractive`` backend: questions on any document by rule, without a model."""

from prefixqa.extractive.extract import GENERATOR, NAME, NO_MORE, extract

__all__ = ["GENERATOR", "NAME", "NO_MORE", "extract"]
