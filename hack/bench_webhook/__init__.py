"""What a review of a pod costs the webhook, over TLS, and what receiving so much costs nginx."""
