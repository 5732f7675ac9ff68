"""How frames get from process to process: each transport owns its sockets in one thread and drives a sans-IO machine."""
