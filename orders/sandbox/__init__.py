"""The built-in venue: a process of its own, imported by nobody. It shares the sandbox's socket server, clock and faults."""
