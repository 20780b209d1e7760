"""Draft of a dataset's definition, from a look at its folder."""
