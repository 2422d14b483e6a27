"""A recipe -> a script that builds and trains the same model without Kohort.

The script is written from the built model itself: what its layers, optimiser, loss, metrics and callbacks tell of
their arguments. So a technique that is made of Keras' objects and of `kohort.parts` needs nothing of its own here; of
parts the source is put into the script.
"""

import inspect
import textwrap
from collections.abc import Sequence
from typing import Any

import keras

from kohort.errors import RecipeError
from kohort.parts.around import Around
from kohort.recipes.code.draws import Draws, followed
from kohort.recipes.code.excerpts import Excerpts, import_lines
from kohort.recipes.code.expressions import Expressions
from kohort.recipes.code.layout import INDENT, WIDTH, Bracketed, Code, laid_out
from kohort.recipes.code.network import Statements, write_network
from kohort.recipes.compose import Built
from kohort.recipes.design import Problem
from kohort.recipes.recipe import Recipe
from kohort.seeds import LARGEST_SEED, global_randomness_restored

BACKEND = """\
import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # others draw other numbers; before Keras is imported"""

MAIN = '''\
def main() -> keras.Model:
    """Trains on the rows in the file beside this one, and prints how the network does on its test rows."""
    rows = numpy.load(pathlib.Path(__file__).with_name({rows}))
    model = train(rows["x"], rows["y"], validation_data=(rows["x_validation"], rows["y_validation"]), verbose=2)
    print(model.evaluate(rows["x_test"], rows["y_test"], return_dict=True, verbose=0))
    return model'''

CALL = """\
if __name__ == "__main__":
    main()"""

REMARK = "# What Keras lacks of the recipe, as it is in Kohort.\n\n"


def as_code(
    recipe: Recipe | Built, *, batch_size: int, seed: int | None = None, rows: str = "", remarks: Sequence[str] = ()
) -> str:
    """The Python script that builds and trains a recipe's model with Keras alone.

    It has two functions, `build()`, which returns the compiled model, and `train(x, y, **options)`, which fits it as
    Kohort does. Under the same `keras.utils.set_random_seed` the model has the same weights as the recipe's own, bit
    for bit, and sees the same noise and batches.

    Args:
        recipe: A recipe of the catalogue, as `kohort.recipes.compose.recipes_for` makes them.
        batch_size: Rows of a training step, where the recipe has no batch size of its own.
        seed: The seed that `train` sets, the seed of a run; None to set none.
        rows: The name of a file beside the script that holds arrays `x`, `y`, `x_validation`, `y_validation`, `x_test`
            and `y_test`, as `numpy.savez` writes them: run, the script then trains on them. Empty: it only defines.
        remarks: What the script shall say of its rows, as comments below its title.

    Raises:
        RecipeError: The recipe is the user's own function, which is code already, or has something in it that no call
            of a class of Keras or Kohort makes; or `batch_size` or `seed` is no such number, or does not go with the
            steps that the recipe was made for.

    >>> from kohort.recipes.compose import recipes_for
    >>> from kohort.recipes.design import Problem
    >>> (dropout,) = recipes_for(["dropout=0.5"], Problem((64,), 10, "multiclass", 36, 50))
    >>> [line for line in as_code(dropout, batch_size=32).splitlines() if "Dropout" in line]
    ['            layers.Dropout(0.5),', '            layers.Dropout(0.5),']
    """
    name = recipe.name if isinstance(recipe, Recipe) else ""
    built = recipe.build if isinstance(recipe, Recipe) else recipe
    of = f"recipe {name!r}" if name else "the recipe"
    if not isinstance(built, Built):
        raise RecipeError(
            f"{of} must be one of the catalogue, such as recipes_for(['dropout'], problem) makes. Got one that is made "
            f"by a {type(built).__name__}. That function is its code already."
        )
    _check_number("batch_size", batch_size, 1)
    batch_size = built.design.batch_size or batch_size
    _check_steps(built.problem, batch_size)
    if seed is not None:
        _check_number("seed", seed, 0)
    try:
        model, draws = followed(built)
        with global_randomness_restored():
            return _script([*_title(name), *_comments(remarks)], built, model, draws, batch_size, seed, rows)
    except RecipeError as error:
        raise RecipeError(f"{of}: {error}") from error


def _check_number(name: str, number: Any, least: int) -> None:
    if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= LARGEST_SEED:
        raise RecipeError(f"{name} must be a whole number of at least {least}. Got {number!r}. Write {name}={least}.")


def _check_steps(problem: Problem, batch_size: int) -> None:
    rows, steps = problem.rows, problem.steps_per_epoch
    if rows is not None and -(-rows // batch_size) != steps:
        raise RecipeError(
            f"batch_size must be the one that the recipe was made for: {steps} steps for {rows} rows. Got "
            f"{batch_size}, which takes {-(-rows // batch_size)} steps. Pass that one, or make the recipe anew."
        )


def _script(
    title: list[str], built: Built, model: keras.Model, draws: Draws, batch_size: int, seed: int | None, rows: str
) -> str:
    expressions = Expressions()
    build = _building(model, draws, expressions)
    train = _training(built, expressions, batch_size, seed)
    excerpts = Excerpts(expressions.parts.values())
    imports = excerpts.imports | {("keras", "")} | ({("keras", "layers")} if "layers." in build else set())
    imports |= {("pathlib", ""), ("numpy", "")} if rows else set()
    of_python, of_others = import_lines(imports)
    backend = BACKEND.replace("import os", "\n".join(sorted(["import os", *of_python], key=_import_order)), 1)
    head = "\n".join([*title, "", backend, "", *of_others, *_settings()])
    parts = [f"{REMARK}\n{text}" if not number else text for number, text in enumerate(excerpts.texts.values())]
    main, call = ([MAIN.replace("{rows}", repr(rows))], [CALL]) if rows else ([], [])
    return "\n\n\n".join([head, build, train, *main, *parts, *call]) + "\n"


def _import_order(line: str) -> tuple[bool, str]:
    return line.startswith("from "), line


def _title(name: str) -> list[str]:
    quoted = repr(name.replace('"', "'"))  # three of them would end the docstring
    told = f"The recipe {quoted}" if name else "A recipe"
    lines = textwrap.wrap(f'"""{told}, as Kohort builds and trains it with Keras {keras.version()}.', WIDTH - 3)
    return [*lines[:-1], f'{lines[-1]}"""'] if len(lines) == 1 else [*lines, '"""']


def _comments(remarks: Sequence[str]) -> list[str]:
    """Remarks as lines of comments; what a user chose may hold anything, but no line's end."""
    lines = [textwrap.wrap(" ".join(remark.split()), WIDTH - 2, break_on_hyphens=False) for remark in remarks]
    return ["", *(f"# {line}" for own in lines for line in own)] if lines else []


def _settings() -> list[str]:
    """What of Keras' global settings is not as Keras comes, as lines."""
    lines = []
    if (policy := keras.config.dtype_policy().name) != "float32":
        lines.append(f'keras.config.set_dtype_policy("{policy}")')
    if (order := keras.config.image_data_format()) != "channels_last":
        lines.append(f'keras.config.set_image_data_format("{order}")')
    return ["", *lines] if lines else []


def _building(model: Any, draws: Draws, expressions: Expressions) -> str:
    """The function that builds and compiles."""
    statements = Statements(draws, expressions)
    around: list[Any] = []
    network = model
    while isinstance(network, Around):
        around.insert(0, network)
        network = network.network
    write_network(network, statements)
    for outer in around:
        statements.draw(outer, but_for=outer.network)
        statements.add(expressions.made(outer, {"network": (outer.network, "model")}), "model = ")
    _write_optimizer(model.optimizer, statements)
    statements.add(Bracketed("model.compile(", tuple(_compiling(model, expressions)), ")"))
    lines = ["def build() -> keras.Model:", '    """The network, compiled."""', *statements.lines, "    return model"]
    return "\n".join(lines)


def _write_optimizer(optimizer: Any, statements: Statements) -> None:
    """Adds the statements that make an optimiser, the innermost first."""
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        _write_optimizer(inner, statements)
    statements.draw(optimizer)
    given = {} if inner is None else {"inner_optimizer": (inner, "optimizer")}
    statements.add(statements.expressions.made(optimizer, given), "optimizer = ")
    if getattr(optimizer, "_exclude_from_weight_decay", None):
        raise RecipeError(
            "what weight decay leaves alone must be told by names. The optimizer was told variables. "
            "Use exclude_from_weight_decay(var_names=[…])."
        )
    pattern = getattr(optimizer, "_exclude_from_weight_decay_pattern", None)
    if pattern is not None:  # Keras keeps the names as one pattern, in any order
        names = Bracketed("[", tuple(("", f'"{name}"') for name in sorted(pattern.pattern.split("|"))), "]")
        statements.add(Bracketed("optimizer.exclude_from_weight_decay(", (("var_names=", names),), ")"))


def _compiling(model: Any, expressions: Expressions) -> list[tuple[str, Code]]:
    """The arguments of `compile`."""
    defaults = inspect.signature(keras.Model.compile).parameters
    found: list[tuple[str, Code]] = [("optimizer=", "optimizer")]
    for name, value in model.get_compile_config().items():
        usual = value == defaults[name].default
        if name == "jit_compile":  # which Keras notes as it resolved "auto"
            usual = value == all(layer.supports_jit for layer in model._flatten_layers())
        if name != "optimizer" and not usual:
            found.append((f"{name}=", expressions.value(value, name)))
    return found


def _training(built: Built, expressions: Expressions, batch_size: int, seed: int | None) -> str:
    """The function that trains."""
    problem = built.problem
    callbacks = [make(problem) for make in built.design.callbacks]
    items: list[tuple[str, Code]] = [("", "x"), ("", "y"), ("batch_size=", repr(batch_size))]
    items.append(("epochs=", repr(problem.epochs)))
    if callbacks:
        told = tuple(("", expressions.callback(callback)) for callback in callbacks)
        items.append(("callbacks=", Bracketed("[", told, "]")))
    items.append(("", "**options"))
    lines = ["def train(x, y, **options) -> keras.Model:", *_told_of_training(problem, batch_size, callbacks)]
    if seed is not None:
        lines.append(f"    keras.utils.set_random_seed({seed})")
    lines.append("    model = build()")
    lines += laid_out(Bracketed("model.fit(", tuple(items), ")"), indent=INDENT)
    return "\n".join([*lines, "    return model"])


def _told_of_training(problem: Problem, batch_size: int, callbacks: list[Any]) -> list[str]:
    shape = repr(tuple(problem.inputs))
    targets = "a number each" if problem.task == "regression" else f"a class from 0 to {problem.outputs - 1} each"
    steps = problem.steps_per_epoch
    fewest, most = (problem.rows,) * 2 if problem.rows else ((steps - 1) * batch_size + 1, steps * batch_size)
    rows = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    watching = any(str(getattr(callback, "monitor", "")).startswith("val_") for callback in callbacks)
    needed = "with the validation_data=(x, y) that is watched" if watching else "such as validation_data=(x, y)"
    return [
        '    """Builds the network and trains it.',
        "",
        "    Args:",
        f"        x: Rows of shape {shape}, scaled as the network is to see them.",
        f"        y: Targets, {targets}.",
        f"        **options: Further arguments of `fit`, {needed}.",
        "",
        f"    The recipe was made for epochs of {steps:,} steps, that is {rows} rows.",
        '    """',
    ]
