"""The command line: `python -m vaebook data | list | info | train | evaluate | experiment`."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from fnmatch import filter as match
from itertools import groupby
from pathlib import Path
from typing import Any

from vaebook import _progress, datasets, jobs, recipes, tables
from vaebook.datasets import DatasetUnavailable


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vaebook", description="The book's recipes.")
    commands = parser.add_subparsers(dest="command", required=True)
    data = commands.add_parser(
        "data",
        help="have MNIST and Fashion-MNIST on this machine",
        description="Print where MNIST and Fashion-MNIST are, in the folder that VAEBOOK_DATA "
        "names or in the cache, and download into the cache what is missing: 42 MB at most. "
        "After an interruption the same command goes on with the next file.",
    )
    data.add_argument(
        "--required", action="store_true", help="end with status 2 when anything is missing"
    )
    data.add_argument("--offline", action="store_true", help="only look")
    commands.add_parser("list", help="names and summaries, by the book's parts")
    info = commands.add_parser("info", help="print the card of a trained recipe, as JSON")
    evaluate = commands.add_parser(
        "evaluate", help="measure trained weights on the test set, and print JSON"
    )
    train = commands.add_parser(
        "train",
        help="train recipes and write weights and cards; what is there already stays",
        description="Train recipes and write weights and cards. A recipe whose weights are in "
        "the directory already is left alone, so that a sweep that was stopped goes on; delete "
        "its card to train it again.",
    )
    for command in (info, evaluate):
        command.add_argument("name")
        command.add_argument("--from", dest="directory", help="directory of `train`")
    train.add_argument("pattern", help="a name, or a pattern such as 'mnist-*'")
    train.add_argument(
        "--into", dest="directory", default="weights", help="directory (default: %(default)s)"
    )
    for command in (train, evaluate):
        command.add_argument(
            "--samples", type=int, help="importance samples for log p(x) (default: the recipe's)"
        )
    experiment = commands.add_parser(
        "experiment",
        help="compute what is missing of a study's table",
        description="Run a study and write its table. Rows are kept as they come, and the same "
        "command goes on after a stop; rows whose code has changed are computed again.",
    )
    experiment.add_argument("name", help="of a file in `experiments`, or the path of one's own")
    experiment.add_argument(
        "--into",
        help="folder of the table (default: that of the package's tables for a name, this one for "
        "a path)",
    )
    for command in (train, experiment):
        where = command.add_mutually_exclusive_group()
        where.add_argument(
            "--jobs",
            type=_at_least_one,
            default=1,
            help="processes, of one thread (default: %(default)s)",
        )
        where.add_argument("--scheduler", help="a Dask cluster instead, such as tcp://HOST:8786")
    return parser


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, got {text!r}")
    return int(text)


def _experiment(name: str, into: str | None, n_jobs: int, scheduler: str | None) -> None:
    own = name.endswith(".py")
    path = Path(name) if own else Path("experiments", f"{name}.py")
    if not path.exists():
        known = sorted(file.stem for file in Path("experiments").glob("*.py"))
        there = ", ".join(known) or "no folder of that name here"
        raise ValueError(f"there is no study {path}; in experiments: {there}")
    experiment = tables.from_file(path)
    folder = Path(into or ("." if own else tables.FOLDER))
    found = tables.run(experiment, folder, n_jobs=n_jobs, scheduler=scheduler)
    print(f"{folder / found.name}.jsonl: {len(found.rows)} rows, {json.dumps(found.made_with)}")


def _data(required: bool, offline: bool) -> int:
    status = 0
    deadline = time.monotonic() + 600
    for title in ("MNIST", "Fashion-MNIST"):
        try:
            left = max(1.0, deadline - time.monotonic())
            files = datasets.fetch(title, offline=offline, seconds=left)
        except DatasetUnavailable as error:
            print(f"{title}: missing", flush=True)
            print(f"vaebook: {error}", file=sys.stderr)
            status = 2 if required else 0
        else:
            folders = dict.fromkeys(str(path.parent) for path in files)
            print(f"{title}: {', '.join(folders)}", flush=True)
    return status


def _list() -> None:
    known = [recipes.get(name) for name in recipes.trainable()]
    width = max(len(recipe.name) for recipe in known)
    print("* comes with the package; the others have to be trained first")
    for part, group in groupby(known, key=lambda recipe: recipe.part):
        print(f"\n{part}")
        for recipe in group:
            mark = "*" if recipes.is_shipped(recipe.name) else " "
            print(f"{mark} {recipe.name:{width}}  {recipe.summary}")


def _info(name: str, directory: str | None) -> None:
    print(json.dumps(recipes.load(name, directory).card, indent=2))


def _evaluate(name: str, directory: str | None, samples: int | None) -> None:
    model = recipes.load(name, directory).model
    print(json.dumps(recipes.evaluate(name, model, n_samples=samples), indent=2))


def _train(
    pattern: str, directory: str, n_samples: int | None, n_jobs: int, scheduler: str | None
) -> int:
    names = match(recipes.trainable(), pattern) or [recipes.get(pattern).name]
    there = [name for name in names if recipes.is_trained(name, directory)]
    for name in there:
        print(f"{name} is there already")
    left = [name for name in names if name not in there]
    if names == left and len(names) == 1 and scheduler is None:
        print(names[0], flush=True)
        metrics = recipes.train(names[0], directory, n_samples=n_samples).card["metrics"]
        print(json.dumps(metrics, indent=2))
        return 0
    # A worker may have been started in another folder.
    folder = str(Path(directory).expanduser().resolve())
    points = [{"name": name, "directory": folder, "n_samples": n_samples} for name in left]
    status = 0
    with _progress.bar(True, total=len(names), initial=len(there), unit="recipe") as bar:
        for outcome in jobs.each(_train_one, points, n_jobs=n_jobs, scheduler=scheduler):
            bar.update()
            said = f"{left[outcome.index]} {outcome.error or json.dumps(outcome.value)}"
            bar.write(said, file=sys.stderr if outcome.error else sys.stdout)
            status = 2 if outcome.error else status
    return status


def _train_one(name: str, directory: str, n_samples: int | None) -> dict[str, Any]:
    trained = recipes.train(name, directory, n_samples=n_samples, progress=False)
    metrics: dict[str, Any] = trained.card["metrics"]
    return metrics


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, 2 for what it can't take, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    status = 0
    try:
        if options.command == "data":
            status = _data(options.required, options.offline)
        elif options.command == "list":
            _list()
        elif options.command == "info":
            _info(options.name, options.directory)
        elif options.command == "evaluate":
            _evaluate(options.name, options.directory, options.samples)
        elif options.command == "experiment":
            _experiment(options.name, options.into, options.jobs, options.scheduler)
        else:
            status = _train(
                options.pattern,
                options.directory,
                options.samples,
                options.jobs,
                options.scheduler,
            )
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has seen enough, as `head` has. What is left must not be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        long = options.command in ("data", "train", "experiment")
        hint = "; the same command goes on from there" if long else ""
        print(f"\nvaebook: interrupted{hint}", file=sys.stderr)
        return 130
    except (ValueError, OSError, DatasetUnavailable, jobs.WorkersLost, tables.Failed) as error:
        print(f"vaebook: {error}", file=sys.stderr)
        return 2
    return status


if __name__ == "__main__":
    sys.exit(main())
