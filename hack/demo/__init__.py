"""Stories: what Deputy does with each folder of `examples/`, told on real parts (`make demo STORY=…`)."""
