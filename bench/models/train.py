"""``python -m bench.models.train``: the door to ``bench.models.training.train``."""

from bench.models.training.train import main

if __name__ == "__main__":
    main()
