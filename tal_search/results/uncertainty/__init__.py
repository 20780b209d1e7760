"""Uncertainty of means and differences: variance components, moderation, contrasts with a centre, corrected p."""
