"""Actions of the data command that have a file each."""
