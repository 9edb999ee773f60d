"""Stage recommend: the best items of each user for the contexts that are likely, with parts and a reason."""
