"""Pages above those of single studies: the list of a runs folder's studies, and several of them compared."""
