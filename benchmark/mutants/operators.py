"""Small faults that a source file can have: each changes one place, the rest stays as it is written.

Left alone: docstrings, annotations, strings and what they hold, messages of errors, assertions, decorators
and imports.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
}  # fmt: skip
ARITHMETIC = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"), ast.Mod: ("%", "*"), ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"),
}  # fmt: skip
PAIRS = [
    ("clamp_min", "clamp_max"), ("min", "max"), ("amin", "amax"), ("argmin", "argmax"), 
    ("minimum", "maximum"),
    ("any", "all"), ("sin", "cos"), ("zeros", "ones"), ("zeros_like", "ones_like"), ("sum", "mean"),
    ("floor", "ceil"), ("rad2deg", "deg2rad"),
]  # fmt: skip
OPPOSITE = dict(PAIRS) | {b: a for a, b in PAIRS}
# Keywords without a meaning of their own: where tensors lie, and checks that never fail in working code.
KEPT_KEYWORDS = ("device", "strict", "message", "help", "fmt", "name")
SKIPPED = (ast.Assert, ast.Raise, ast.JoinedStr)


@dataclass(frozen=True)
class Mutant:
    """One place of one file, and what stands there instead."""

    path: str  # relative to the root
    line: int  # from 1
    column: int  # of the first byte
    end: tuple[int, int]
    before: str
    after: str
    context: str  # the line, stripped
    function: int  # first line of the innermost function around it, 0 outside of functions

    @property
    def key(self) -> str:
        """Name it, also when lines above it come and go."""
        return f"{self.path}|{self.context}|{self.column}|{self.before}|{self.after}"

    def applied(self, source: str) -> str:
        """Return the file with the fault."""
        lines = source.encode().splitlines(keepends=True)
        head = b"".join(lines[: self.line - 1]) + lines[self.line - 1][: self.column]
        last, column = self.end
        tail = lines[last - 1][column:] + b"".join(lines[last:])
        return (head + self.after.encode() + tail).decode()


def mutants(path: str, source: str) -> list[Mutant]:
    """List the faults of a file in the order of its lines."""
    found = _Finder(path, source)
    found.visit(ast.parse(source))
    unique = {(each.line, each.column, each.end, each.after): each for each in found.mutants}
    return sorted(unique.values(), key=lambda each: (each.line, each.column, each.after))


class _Finder(ast.NodeVisitor):
    def __init__(self, path: str, source: str):
        self.path, self.source = path, source
        self.lines = source.encode().splitlines()
        self.mutants: list[Mutant] = []
        self.functions = [0]
        self.imported: set[str] = set()

    def _add(self, start: tuple[int, int], end: tuple[int, int], after: str) -> None:
        before = self._text(start, end)
        if before.strip() == after:
            return
        context = self.lines[start[0] - 1].decode().strip()
        self.mutants.append(Mutant(self.path, *start, end, before, after, context, self.functions[-1]))

    def _text(self, start: tuple[int, int], end: tuple[int, int]) -> str:
        lines = self.lines[start[0] - 1 : end[0]]
        if len(lines) == 1:
            return lines[0][start[1] : end[1]].decode()
        return b"\n".join([lines[0][start[1] :], *lines[1:-1], lines[-1][: end[1]]]).decode()

    def _replace(self, node: ast.AST, after: str) -> None:
        self._add(_start(node), _end(node), after)

    def _between(self, left: ast.AST, right: ast.AST, sign: str, after: str) -> None:
        """Replace the operator between two operands, wherever brackets and comments leave it."""
        gap = self._text(_end(left), _start(right))
        if gap.count(sign) != 1 or "\n" in gap:
            return
        line, column = _end(left)
        at = column + len(gap[: gap.index(sign)].encode())
        self._add((line, at), (line, at + len(sign)), after)

    def generic_visit(self, node: ast.AST) -> None:
        if not isinstance(node, SKIPPED):
            super().generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.imported |= {(each.asname or each.name).split(".")[0] for each in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.imported |= {each.asname or each.name for each in node.names}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        self.functions.append(first)
        for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self.visit(default)
        for statement in _body(node):
            self.visit(statement)
        self.functions.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if not any("Protocol" in ast.unparse(base) for base in node.bases):
            for statement in _body(node):
                self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None and "TypeAlias" not in ast.unparse(node.annotation):
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        target = node.targets[0]
        again = isinstance(target, ast.Name) and any(
            isinstance(part, ast.Name) and part.id == target.id for part in ast.walk(node.value)
        )
        if self.functions[-1] and (again or isinstance(target, ast.Attribute | ast.Subscript)):
            self._replace(node, "pass")
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._replace(node, "pass")
        self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Call) or "log" in ast.unparse(node.value.func).lower():
            return
        self._replace(node, "pass")
        self.visit(node.value)

    def visit_Return(self, node: ast.Return) -> None:
        """Return what the last step was given instead of what it makes of it."""
        call = node.value
        if isinstance(call, ast.Call):
            given = call.args[0] if call.args else None
            if (
                isinstance(call.func, ast.Attribute)
                and ast.unparse(call.func).split(".")[0] not in self.imported
            ):
                given = call.func.value
            if given is not None and not isinstance(given, ast.Constant | ast.Starred):
                self._replace(call, self._text(_start(given), _end(given)))
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        if not isinstance(test, ast.Compare):
            self._replace(test, f"not ({self._text(_start(test), _end(test))})")

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for left, right, kind in zip(operands, operands[1:], node.ops, strict=False):
            self._between(left, right, *COMPARISONS[type(kind)])
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in ARITHMETIC and not _is_text(node.left):
            self._between(node.left, node.right, *ARITHMETIC[type(node.op)])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        sign, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._between(left, right, sign, other)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if not isinstance(node.op, ast.UAdd):
            self._replace(node, self._text(_start(node.operand), _end(node.operand)))
        if not isinstance(node.operand, ast.Constant):
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._replace(node, str(not value))
        elif isinstance(value, int):
            self._replace(node, str(value + 1))
        elif isinstance(value, float):
            self._replace(node, "1.0" if value == 0 else repr(2 * value))

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in OPPOSITE:
            line, column = _end(node.func)
            self._add((line, column - len(name)), (line, column), OPPOSITE[name])
        for keyword in node.keywords:
            if keyword.arg is not None and keyword.arg not in KEPT_KEYWORDS:
                self._remove(node, keyword)
        self.generic_visit(node)

    def _remove(self, call: ast.Call, keyword: ast.keyword) -> None:
        """Remove a keyword with the comma before or after it."""
        others = [*call.args, *call.keywords]
        index = next(i for i, each in enumerate(others) if each is keyword)
        if index:
            self._add(_end(others[index - 1]), _end(keyword), "")
        elif len(others) > 1:
            self._add(_start(keyword), _start(others[1]), "")
        else:
            self._add(_start(keyword), _end(keyword), "")


def _start(node: ast.AST) -> tuple[int, int]:
    return node.lineno, node.col_offset  # type: ignore[attr-defined]


def _end(node: ast.AST) -> tuple[int, int]:
    return node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]


def _body(node: ast.FunctionDef | ast.ClassDef) -> Iterator[ast.stmt]:
    documented = ast.get_docstring(node) is not None
    return iter(node.body[1:] if documented else node.body)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
