"""Speaking to others' tools in their own protocols."""
