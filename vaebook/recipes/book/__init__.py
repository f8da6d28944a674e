"""The recipes of the book, one file per part."""
