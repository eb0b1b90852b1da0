"""Runs the firmware in CPython with the 32-bit words of a device, and watches every operation of its viper code.

The source is parsed, and in viper functions each operation whose result might not fit is wrapped:

    a + b    becomes    (_ if _least[7] <= (_ := a + b) <= _most[7] else _note(7, _))

so that what was seen before costs little, and `Words.note` hears of each value beyond: a new extreme, or one that a word
cannot hold. The program then goes on as a device would, with the bits that are left. Watched are sums, differences,
products, left shifts, quotients and negations (a word each), shift amounts, indexes into pointers, and stores
of 8 and 16 bits; other operations on words give words. Loads through ptr32 are signed, and `sys.maxsize` is a device's.

`(word ^ sign) - sign`, by that name, gives a word of a PC its sign back. On a device it gives the word itself, where
`sign = one << 31` with a wrap on the way: both are let through, and listed in `Words.sign_extensions`.
"""

import ast
import importlib
import importlib.abc
import importlib.util
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from struct import calcsize
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

from tests.firmware.cpython_viper import FIRMWARE, micropython_in_reach

WORD_LEAST, WORD_MOST = -(1 << 31), (1 << 31) - 1
_UNSEEN_LEAST, _UNSEEN_MOST = 1 << 63, -(1 << 63)
_POINTERS = {"ptr8": "B", "ptr16": "H", "ptr32": "i"}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a site's value must be within; bits: of what the device is left with when it is not (0: it cannot go on)."""

    name: str
    least: int
    most: int
    bits: int


WORD = Kind("word", WORD_LEAST, WORD_MOST, 32)
SHIFT = Kind("shift amount", 0, 31, 5)
INDEX = Kind("index", 0, WORD_MOST, 0)
STORES = {
    "ptr8": Kind("store of 8 bits", -(1 << 7), (1 << 8) - 1, 8),
    "ptr16": Kind("store of 16 bits", -(1 << 15), (1 << 16) - 1, 16),
}


@dataclass(frozen=True, slots=True)
class Site:
    """A watched expression of a viper function."""

    module: str
    function: str
    line: int
    expression: str
    kind: Kind
    names: frozenset[str]

    def __str__(self) -> str:
        return f"{self.module.replace('.', '/')}.py:{self.line} {self.function}: {self.expression}"


@dataclass(frozen=True, slots=True)
class Excess:
    """A value that its site cannot hold, and the variables that it came from."""

    site: Site
    value: int
    variables: dict[str, int]

    def __str__(self) -> str:
        values = ", ".join(f"{name} = {value}" for name, value in sorted(self.variables.items()))
        return f"{self.site} is {self.value}, no {self.site.kind.name}; {values}"


@dataclass(eq=False)
class Words:
    """What each site has held.

    intended: (function, expression) of those that are meant to wrap. excesses: the first of each site that is not;
    news: how often a site held more than ever before.
    """

    intended: Iterable[tuple[str, str]] = ()
    folder: Path = FIRMWARE
    sites: list[Site] = field(default_factory=list)
    least: list[int] = field(default_factory=list)
    most: list[int] = field(default_factory=list)
    excesses: dict[Site, Excess] = field(default_factory=dict)
    wrapped: set[tuple[str, str]] = field(default_factory=set)
    sign_extensions: list[str] = field(default_factory=list)
    news: int = 0

    def note(self, number: int, value: int) -> int:
        """Take a value beyond those seen; returns what the device goes on with."""
        site = self.sites[number]
        kind = site.kind
        if kind.least <= value <= kind.most:
            self.least[number] = min(self.least[number], value)
            self.most[number] = max(self.most[number], value)
            self.news += 1
            return value
        if self._may_wrap(site):
            self.wrapped.add((site.function, site.expression))
        elif site not in self.excesses:
            variables = sys._getframe(1).f_locals
            shown = {name: variables[name] for name in site.names if isinstance(variables.get(name), int)}
            self.excesses[site] = Excess(site, value, shown)
        if not kind.bits:
            raise IndexError(f"{site} is {value}")
        value &= (1 << kind.bits) - 1
        return value - (1 << 32) if kind is WORD and value > WORD_MOST else value

    def _may_wrap(self, site: Site) -> bool:
        return (site.function, site.expression) in self.intended

    def add(self, site: Site) -> int:
        self.sites.append(site)
        self.least.append(_UNSEEN_LEAST)
        self.most.append(_UNSEEN_MOST)
        return len(self.sites) - 1

    def unreached(self) -> list[Site]:
        """Sites that no run has come to: nothing is known of them."""
        return [
            site
            for site, least, most in zip(self.sites, self.least, self.most, strict=True)
            if least > most
            and (site.function, site.expression) not in self.wrapped
            and site not in self.excesses
        ]

    def tightest(self) -> list[tuple[float, Site, int, int]]:
        """Bits of room of each word that is not meant to wrap, with its least and most value; tightest first."""
        rooms = [
            (_room_bits(least, most), site, least, most)
            for site, least, most in zip(self.sites, self.least, self.most, strict=True)
            if site.kind is WORD and least <= most and not self._may_wrap(site)
        ]
        return sorted(rooms, key=lambda room: room[0])

    def load(self, *names: str) -> list[ModuleType]:
        """Import firmware modules afresh, with what they import, all watched here."""
        stub = SimpleNamespace(const=lambda value: value, viper=_viper, native=lambda function: function)
        finder = _Finder(self)
        with micropython_in_reach(stub):
            sys.meta_path.insert(0, finder)
            try:
                return [importlib.import_module(name) for name in names]
            finally:
                sys.meta_path.remove(finder)
                for name, module in list(sys.modules.items()):
                    if isinstance(getattr(module, "__loader__", None), _Loader):
                        del sys.modules[name]

    def compile(self, source: str | bytes, module: str, path: str) -> CodeType:
        tree = _Watch(self, module).visit(ast.parse(source, path))
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)

    def names(self) -> dict[str, Any]:
        """What watched code needs among its globals."""
        pointers = {name: _pointer(name) for name in _POINTERS}
        return {"_least": self.least, "_most": self.most, "_note": self.note, **pointers}


def viper_modules(folder: Path = FIRMWARE) -> list[str]:
    """Names of the firmware's modules in which there is viper code."""
    return [
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in sorted(folder.rglob("*.py"))
        if "@micropython.viper" in path.read_text()
    ]


def _room_bits(least: int, most: int) -> float:
    """How often the value could be doubled."""
    return math.log2(min(WORD_MOST / max(most, 1), WORD_LEAST / min(least, -1)))


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, words: Words) -> None:
        self._words = words

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        file = self._words.folder / Path(*fullname.split(".")).with_suffix(".py")
        if not file.is_file():
            return None
        return importlib.util.spec_from_file_location(fullname, file, loader=_Loader(self._words, file))


class _Loader(importlib.abc.SourceLoader):
    """Never reads or writes compiled files, which know nothing of what is watched."""

    def __init__(self, words: Words, path: Path) -> None:
        self._words = words
        self._path = path

    def get_filename(self, fullname: str) -> str:
        return str(self._path)

    def get_data(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> CodeType:
        name = ".".join(self._path.relative_to(self._words.folder).with_suffix("").parts)
        return self._words.compile(data, name, str(path))

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(self._words.names())
        super().exec_module(module)


def _pointer(kind: str) -> Callable[[Any], memoryview]:
    code: Any = _POINTERS[kind]
    width = calcsize(code)

    def pointer(buffer: Any) -> memoryview:
        whole = memoryview(buffer).cast("B")
        return whole[: len(whole) // width * width].cast(code)

    pointer.__name__ = kind
    return pointer


def _viper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Arguments annotated as pointers become views of words; whole numbers must be words."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    kinds = [function.__annotations__.get(name) for name in names]

    def call(*arguments: Any) -> Any:
        return function(*(_argument(it, kind) for it, kind in zip(arguments, kinds, strict=True)))

    def _argument(value: Any, kind: Any) -> Any:
        if kind is None:
            return value
        if kind is not int:
            return kind(value)
        value = int(value)
        if not WORD_LEAST <= value <= WORD_MOST:
            raise OverflowError(f"{function.__module__}.{function.__name__} is given {value}, no word")
        return value

    return call


class _Watch(ast.NodeTransformer):
    """Wraps what is watched in the viper functions of a module."""

    _CHECKED = (ast.Add, ast.Sub, ast.Mult, ast.LShift, ast.FloorDiv)
    _SAFE = (ast.RShift, ast.BitAnd, ast.BitOr, ast.BitXor, ast.Mod)

    def __init__(self, words: Words, module: str) -> None:
        self._words = words
        self._module = module
        self._function = ""  # the viper function that is being visited
        self._pointers: dict[str, str] = {}
        self._variables: set[str] = set()
        self._objects: set[str] = set()

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and (node.value.id, node.attr) == ("sys", "maxsize"):
            return ast.copy_location(ast.Constant(WORD_MOST), node)
        self.generic_visit(node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        if not any(ast.unparse(decorator) == "micropython.viper" for decorator in node.decorator_list):
            self.generic_visit(node)
            return node
        self._function = node.name
        kinds = {it.arg: ast.unparse(it.annotation) if it.annotation else "" for it in node.args.args}
        if other := [name for name, kind in kinds.items() if kind not in (*_POINTERS, "int", "object", "")]:
            raise self._cannot(node, f"'{other[0]}' is neither a pointer nor int nor an object")
        self._objects = {name for name, kind in kinds.items() if kind in ("object", "")}
        self._pointers = {name: kind for name, kind in kinds.items() if kind in _POINTERS}
        self._variables = set(kinds)
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                self._variables.add(part.id)
            if isinstance(part, ast.Assign) and (kind := _called(part.value)) in _POINTERS:
                self._pointers |= {it.id: kind for it in part.targets if isinstance(it, ast.Name)}
        node.body = [self.visit(statement) for statement in node.body]
        self._function = ""
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        return self._operation(node, WORD)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        negates = isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant)
        return self._watched(node, WORD) if self._function and negates else self._inside(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        if not self._function:
            self.generic_visit(node)
            return node
        target: Any = ast.parse(ast.unparse(node.target), mode="eval").body
        value = ast.copy_location(ast.BinOp(target, node.op, node.value), node)
        for part in ast.walk(target):
            ast.copy_location(part, node)
        return self.visit_Assign(ast.copy_location(ast.Assign([node.target], value), node))

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        if self._function and ast.unparse(node) == "sign = one << 31":
            node.value = self._cut(node.value)
            return node
        value = self.visit(node.value)
        if self._function and isinstance(node.targets[0], ast.Subscript):
            kind = STORES.get(self._pointer(node.targets[0]))
            if kind and not isinstance(node.value, ast.Constant):
                value = self._wrap(value, node.value, kind)
                value = ast.BinOp(value, ast.BitAnd(), ast.Constant((1 << kind.bits) - 1))
        node.targets = [self.visit(target) for target in node.targets]
        node.value = value
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if not self._function or (isinstance(node.value, ast.Name) and node.value.id in self._objects):
            return self._inside(node)
        self._pointer(node)
        index = node.slice
        constant = isinstance(index, ast.Constant) or (
            isinstance(index, ast.Name) and index.id not in self._variables
        )
        if isinstance(index, ast.BinOp):
            node.slice = self._operation(index, INDEX)
        elif not constant:
            node.slice = self._watched(index, INDEX)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if self._function and isinstance(node.value, int) and not WORD_LEAST <= node.value <= WORD_MOST:
            raise self._cannot(node, f"{node.value} is no word")
        if self._function and isinstance(node.value, float):
            raise self._cannot(node, "it has a float")
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if self._function and _called(node) == "uint":
            raise self._cannot(node, "it has unsigned words")
        return self._inside(node)

    def _operation(self, node: ast.BinOp, kind: Kind) -> ast.expr:
        if not self._function:
            return self._inside(node)
        text = ast.unparse(node)
        if _is_sign_extension(node):
            return self._cut(node)
        if isinstance(node.op, self._CHECKED):
            needs_watch = True
        elif isinstance(node.op, self._SAFE):
            needs_watch = kind is not WORD
        else:
            raise self._cannot(node, f"{text} is no operation of words")
        original = ast.parse(text, mode="eval").body
        node.left = self.visit(node.left)
        shifts = isinstance(node.op, ast.LShift | ast.RShift)
        if shifts and not isinstance(node.right, ast.Constant):
            node.right = self._watched(node.right, SHIFT)
        else:
            node.right = self.visit(node.right)
        return self._wrap(node, ast.copy_location(original, node), kind) if needs_watch else node

    def _watched(self, node: ast.expr, kind: Kind) -> ast.expr:
        original = ast.copy_location(ast.parse(ast.unparse(node), mode="eval").body, node)
        return self._wrap(
            self._inside(node) if isinstance(node, ast.UnaryOp) else self.visit(node), original, kind
        )

    def _wrap(self, node: ast.expr, original: ast.expr, kind: Kind) -> ast.expr:
        names = frozenset(it.id for it in ast.walk(original) if isinstance(it, ast.Name))
        site = Site(self._module, self._function, node.lineno, ast.unparse(original), kind, names)
        template = "(_ if _least[{0}] <= (_ := 0) <= _most[{0}] else _note({0}, _))"
        wrapped: Any = ast.parse(template.format(self._words.add(site)), mode="eval").body
        for part in ast.walk(wrapped):
            ast.copy_location(part, node)
        wrapped.test.comparators[0].value = node
        return wrapped

    def _cut(self, node: ast.expr) -> ast.expr:
        """The 32 bits that are left of a value, signed."""
        self._words.sign_extensions.append(f"{self._module}:{node.lineno} {ast.unparse(node)}")
        cut: Any = ast.parse(f"(0 + {1 << 31} & {(1 << 32) - 1}) - {1 << 31}", mode="eval").body
        cut.left.left.left = self._inside(node)
        return ast.copy_location(cut, node)

    def _pointer(self, node: ast.Subscript) -> str:
        if not isinstance(node.value, ast.Name) or node.value.id not in self._pointers:
            raise self._cannot(node, f"{ast.unparse(node.value)} is no pointer")
        return self._pointers[node.value.id]

    def _inside(self, node: Any) -> Any:
        self.generic_visit(node)
        return node

    def _cannot(self, node: ast.expr | ast.stmt, why: str) -> SyntaxError:
        return SyntaxError(f"{self._module}:{node.lineno} {self._function} cannot be watched: {why}")


def _is_sign_extension(node: ast.BinOp) -> bool:
    """`(word ^ sign) - sign`."""
    signs = [node.right, node.left.right] if isinstance(node.left, ast.BinOp) else []
    flips = (
        isinstance(node.op, ast.Sub)
        and isinstance(node.left, ast.BinOp)
        and isinstance(node.left.op, ast.BitXor)
    )
    return flips and all(isinstance(it, ast.Name) and it.id == "sign" for it in signs)


def _called(node: ast.expr) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
