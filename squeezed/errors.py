"""Errors with a name of their own; all are ``ValueError``, so a caller may catch them as one."""


class UnsupportedModelError(ValueError):
    """The model's attention cannot be reproduced exactly by the engine."""


class IndexMismatchError(ValueError):
    """A stored index belongs to another model, other token ids, or another format version."""


class IndexCorruptError(ValueError):
    """A stored index is damaged: a checksum differs, a file is missing, or a number is not finite."""


class NonFiniteError(ValueError):
    """The model computes NaN or infinity: overflow in its dtype, or a broken weight."""


class BudgetError(ValueError):
    """The asked size cannot be met on this context: window, lookup and dense layers alone read more."""
