"""The causes: one file a cause or a close family, each with its page, signatures, knobs and advice."""
