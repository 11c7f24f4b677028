"""Names of the studies, known without the libraries that draw them; a test holds them to the studies."""

STUDY_NAMES = (
    *("budgets", "rules", "hierarchy", "transfer", "centroids", "window"),
    *("scaling", "cost", "n"),
)
