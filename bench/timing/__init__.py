"""Times of kernels and of clustering, apart from any model's answers."""
