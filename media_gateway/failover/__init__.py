"""More than one vendor for a part: which of them is asked, and how a call moves from one to the next."""
