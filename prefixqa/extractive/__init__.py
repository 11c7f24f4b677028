"""The ``extractive`` backend: questions on any document by rule, without a model."""

from prefixqa.extractive.extract import GENERATOR, NAME, extract

__all__ = ["GENERATOR", "NAME", "extract"]
