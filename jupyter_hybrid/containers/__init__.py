"""Images: what is in them, where they come from, how one is made without a daemon."""
