"""What a run shows in the terminal: stages, progress, what fails, and an early answer."""
