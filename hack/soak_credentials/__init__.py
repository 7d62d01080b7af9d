"""Broker and agents for a long time: `hack/soak-credentials`."""
