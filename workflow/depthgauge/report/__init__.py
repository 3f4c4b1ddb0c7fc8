"""What the reader sees: the page, the claims, the explorer."""
