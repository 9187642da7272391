"""Where work is done: worker pools and their progress. Knows tasks and workers, nothing of what they compute."""
