"""hack/release, in a dry run from binaries that are made here."""
