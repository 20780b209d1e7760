"""Configuration files of studies and datasets: where they are found, the YAML in them, and checks by dataclasses."""
