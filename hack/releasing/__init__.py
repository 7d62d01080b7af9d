"""What hack/release does: binaries, images, charts, bills of materials, provenance, checksums."""
