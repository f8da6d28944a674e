"""The book's recipes by name, and whose weights come with the package."""

__all__ = ["available", "get", "is_shipped", "trainable"]

from difflib import get_close_matches
from functools import cache
from pathlib import Path

from vaebook.recipes.book import part1, part2, part4, part5, part6
from vaebook.recipes.recipe import Recipe

WEIGHTS = Path(__file__).parent.with_name("weights")


@cache
def _recipes() -> dict[str, Recipe]:
    parts = (part1, part2, part4, part5, part6)
    return {recipe.name: recipe for part in parts for recipe in part.recipes()}


def is_shipped(name: str) -> bool:
    """Tell whether the package holds the weights of a recipe.

    Example:
        >>> is_shipped("mnist-mlp-2d")
        True
    """
    return (WEIGHTS / f"{name}.safetensors").is_file()


def available() -> list[str]:
    """Return the names that can be loaded at once, in the order of the book.

    Example:
        >>> "mnist-mlp-2d" in available()
        True
    """
    return [name for name in _recipes() if is_shipped(name)]


def trainable() -> list[str]:
    """Return the names of all the book's recipes, also of those that are not shipped trained.

    Example:
        >>> set(available()) < set(trainable())
        True
    """
    return list(_recipes())


def get(recipe: str | Recipe) -> Recipe:
    """Return the book's recipe of a name; a recipe is returned as it is.

    Raises:
        ValueError: when there is none, with the nearest names.

    Example:
        >>> get("mnist-mlp-2").name
        Traceback (most recent call last):
        ...
        ValueError: recipe must be one, or the name of one of the book's, got 'mnist-mlp-2'; \
near it are mnist-mlp-2d, mnist-mlp-20d, mnist-mlp-8d
    """
    if isinstance(recipe, Recipe):
        return recipe
    if not isinstance(recipe, str) or recipe not in _recipes():
        near = get_close_matches(str(recipe), _recipes())
        hint = f"near it are {', '.join(near)}" if near else "`python -m vaebook list` shows them"
        raise ValueError(
            f"recipe must be one, or the name of one of the book's, got {recipe!r}; {hint}"
        )
    return _recipes()[recipe]
