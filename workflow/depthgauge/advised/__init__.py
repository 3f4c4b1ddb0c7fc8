"""After the verdict: the features of the cell that is advised, to take along and to compare."""
