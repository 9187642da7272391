"""How the pages of the project read, in numbers: `python -m benchmarks.pages [FOLDER …] [--json] [--worst N]`.

What keeps a page readable is few thoughts a line, comments that say why, and short functions. Counted with Python's own
tokenizer and parser: code lines are those that hold more than a comment or a docstring.
"""

import argparse
import ast
import io
import json
import subprocess
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOMS = ("enformer_core", "cluster", "jobs")
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Page:
    """One module.

    Attributes:
        path: where it stands.
        lines: all of them.
        code_lines: those that hold code.
        tokens: of code.
        comment_lines: comments.
        body_tokens: tokens of each function, without its signature and docstring.
        short_docstrings: places of docstrings of five words or fewer.
        untyped_mappings: `Mapping[str, Any]` and `dict[str, Any]` in signatures.
    """

    path: str
    lines: int
    code_lines: int
    tokens: int
    comment_lines: int
    body_tokens: tuple[int, ...]
    short_docstrings: tuple[str, ...]
    untyped_mappings: int


def read_page(path: Path) -> Page:
    """Measure a module."""
    text = path.read_text(encoding="utf-8")
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    tree = ast.parse(text)
    docstrings = list(_docstrings(tree))
    beginnings = {node.lineno for node, _ in docstrings}
    code = [
        token
        for token in tokens
        if token.type not in _NO_CODE
        and not (token.type == tokenize.STRING and token.start[0] in beginnings)
    ]
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    return Page(
        path=str(path),
        lines=text.count("\n"),
        code_lines=len({token.start[0] for token in code}),
        tokens=len(code),
        comment_lines=sum(token.type == tokenize.COMMENT for token in tokens),
        body_tokens=tuple(_body_tokens(function, code) for function in functions),
        short_docstrings=tuple(
            f"{path}:{node.lineno}" for node, said in docstrings if len(said.split()) <= 5
        ),
        untyped_mappings=sum(_untyped_mappings(function) for function in functions),
    )


def _docstrings(tree: ast.Module) -> Iterator[tuple[ast.Expr, str]]:
    """Texts that stand as statements: of modules, classes and functions, and below constants."""
    for node in ast.walk(tree):
        body = getattr(node, "body", ())
        for child in body if isinstance(body, list) else ():
            match child:
                case ast.Expr(value=ast.Constant(value=str(said))):
                    yield child, said


def _body_tokens(function: Function, code: Sequence[tokenize.TokenInfo]) -> int:
    first, last = function.body[0].lineno, function.end_lineno or function.lineno
    return sum(first <= token.start[0] <= last for token in code)


def _untyped_mappings(function: Function) -> int:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    annotations = [argument.annotation for argument in arguments] + [function.returns]
    text = " ".join(ast.unparse(annotation) for annotation in annotations if annotation is not None)
    return text.count("Mapping[str, Any]") + text.count("dict[str, Any]")


def summarise(pages: Sequence[Page], test_code_lines: int) -> dict[str, float | int | str]:
    """The figures of a whole tree; ratios are over all lines, not means of modules."""
    code_lines = sum(page.code_lines for page in pages)
    bodies = sorted(tokens for page in pages for tokens in page.body_tokens)
    largest = max(pages, key=lambda page: page.lines)
    return {
        "modules": len(pages),
        "code lines": code_lines,
        "tokens a code line": round(sum(page.tokens for page in pages) / code_lines, 2),
        "comment lines per 100": round(
            100 * sum(page.comment_lines for page in pages) / code_lines, 2
        ),
        "body tokens, median": bodies[len(bodies) // 2],
        "body tokens, 90th percentile": bodies[len(bodies) * 9 // 10],
        "docstrings of five words or fewer": sum(len(page.short_docstrings) for page in pages),
        "untyped mappings in signatures": sum(page.untyped_mappings for page in pages),
        "largest module": f"{largest.path} ({largest.lines})",
        "test code lines per code line": round(test_code_lines / code_lines, 2),
    }


def _modules(folders: Iterable[str]) -> list[Path]:
    patterns = [f"{folder}/*.py" if not folder.endswith(".py") else folder for folder in folders]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],  # noqa: S607
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [Path(line) for line in listed.stdout.split() if Path(line).exists()]


def main() -> None:
    """Print the figures, and the modules that are densest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", default=list(ROOMS))
    parser.add_argument("--json", action="store_true", help="the figures and every module as JSON")
    parser.add_argument(
        "--worst", type=int, default=10, metavar="N", help="densest modules to name"
    )
    arguments = parser.parse_args()
    pages = [read_page(path) for path in _modules(arguments.folders)]
    tests = sum(read_page(path).code_lines for path in _modules(["tests"]))
    figures = summarise(pages, tests)
    if arguments.json:
        print(
            json.dumps({"figures": figures, "modules": [asdict(page) for page in pages]}, indent=1)
        )
        return
    for name, figure in figures.items():
        print(f"{name:<36}{figure}")
    dense = sorted(
        (page for page in pages if page.code_lines > 20),
        key=lambda page: -page.tokens / page.code_lines,
    )
    for page in dense[: arguments.worst]:
        per_line, comments = (
            page.tokens / page.code_lines,
            100 * page.comment_lines / page.code_lines,
        )
        long = [tokens for tokens in page.body_tokens if tokens > 140]
        print(
            f"  {page.path}: {per_line:.1f} tokens a line, {comments:.1f} comments per 100, {len(long)} long functions"
        )
    for place in [place for page in pages for place in page.short_docstrings][: arguments.worst]:
        print(f"  {place}: a docstring of five words or fewer")


if __name__ == "__main__":
    main()
