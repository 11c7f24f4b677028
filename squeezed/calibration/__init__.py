"""From sample queries to thresholds: quantile curves of scores, level after level."""
