"""One contract, every back-end of the watcher."""
