"""The command line: `python -m vaebook list | info NAME | train PATTERN | evaluate NAME`."""

import argparse
import json
import sys
from collections.abc import Sequence
from fnmatch import filter as match

from tqdm.std import tqdm

from vaebook import recipes
from vaebook.datasets import DatasetUnavailable


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vaebook", description="The book's recipes.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="names and summaries")
    info = commands.add_parser("info", help="the card of a trained recipe")
    train = commands.add_parser(
        "train",
        help="train recipes and write weights and cards; what is there already stays",
        description="Train recipes and write weights and cards. A recipe whose weights are in "
        "the directory already is left alone, so that a sweep that was stopped goes on; delete "
        "its card to train it again.",
    )
    evaluate = commands.add_parser("evaluate", help="measure trained weights on the test set")
    for command in (info, evaluate):
        command.add_argument("name")
    train.add_argument("pattern", help="a name, or a pattern such as 'mnist-*'")
    train.add_argument("--into", default="weights", help="directory (default: %(default)s)")
    for command in (train, evaluate):
        command.add_argument(
            "--samples", type=int, help="importance samples for log p(x) (default: the recipe's)"
        )
    return parser


def _train(pattern: str, into: str, samples: int | None) -> None:
    names = match(recipes.available(), pattern)
    if not names:
        recipes.get(pattern)
    several = len(names) > 1
    # One bar over a sweep, or that of the one training. Silent by TQDM_DISABLE as well.
    with tqdm(names, unit="recipe", **({} if several else {"disable": True})) as bar:
        for name in bar:
            bar.set_postfix_str(name)
            if recipes.is_trained(name, into):
                bar.write(f"{name} is there already")
                continue
            bar.write(name)
            trained = recipes.train(name, into, n_samples=samples, progress=not several)
            bar.write(json.dumps(trained.card["metrics"], indent=2))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, or 2 for what it can't take."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "list":
            for name in recipes.available():
                print(f"{name:18} {recipes.get(name).summary}")
        elif options.command == "info":
            print(json.dumps(recipes.load(options.name).card, indent=2))
        elif options.command == "train":
            _train(options.pattern, options.into, options.samples)
        else:
            model = recipes.load(options.name).model
            metrics = recipes.measure(options.name, model, n_samples=options.samples)
            print(json.dumps(metrics, indent=2))
    except (ValueError, FileNotFoundError, DatasetUnavailable) as error:
        print(f"vaebook: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
