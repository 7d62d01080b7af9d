"""Deputy's four processes on a real API server and an AWS double, each with its own rights."""
