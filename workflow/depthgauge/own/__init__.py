"""One command for a folder of one's own: look at it, choose, say what it takes, run."""
