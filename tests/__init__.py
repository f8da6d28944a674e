"""The tests; what several of them share is imported by its full name from here."""
