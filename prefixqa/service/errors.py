"""Why no answer came: of one request, or so that nothing more is sent."""


class StopError(Exception):
    """Nothing more is sent; what is under way is waited for and kept."""


class ServiceError(ValueError, StopError):
    """The service refuses everything: a wrong key, model or address."""


class BudgetError(StopError):
    """The next request might cost more than ``max_cost`` allows."""


class GaveUpError(RuntimeError):
    """A request failed after all its retries; another run may have more luck."""
