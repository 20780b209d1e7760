"""Plotly figures of the views, as pure functions of their numbers."""
