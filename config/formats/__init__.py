"""How the console writes dates and times in its lists: see en/formats.py."""
