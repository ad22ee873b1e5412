"""The results document: its types, its schema, reading and writing."""
