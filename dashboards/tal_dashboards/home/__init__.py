"""Pages about several studies: the list of the studies in a runs folder, and their comparison."""
