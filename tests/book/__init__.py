"""hack/docs, which makes the site of the documents, without mdBook."""
