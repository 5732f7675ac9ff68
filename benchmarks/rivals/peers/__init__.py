"""One adapter a peer, and the packages that it needs."""
