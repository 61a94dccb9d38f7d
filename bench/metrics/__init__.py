"""Metrics: one metric, or one tight group, one file, one function from an Evaluation to Scores."""
