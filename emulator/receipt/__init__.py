"""What an energy figure rests on: every fact of a run with where it came from, or why nobody recorded it."""
