"""Reports for people: a document's table, and the progress of a run."""
