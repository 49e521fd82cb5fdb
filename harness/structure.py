# SPDX-License-Identifier: GPL-2.0-only
"""Check the structure: the engine has no long file and no cycle of calls between its files, and no line is too wide."""
import re
from collections import defaultdict

from .paths import BUILD, ROOT
from .results import Results
from .shell import output

ENGINE = "drivers/iommu/iopt"
LONGEST = {"": 500, "tests": 700}       # {folder in ENGINE: maximum number of lines of a file}
# {suffix: (maximum number of columns, pattern of the lines that are checked)}. checkpatch checks code in C.
COMMENT = r"\s*(?:/\*|\*(?:\s|/|$))"
WIDEST = {"c": (80, COMMENT), "h": (80, COMMENT), "rst": (80, ""), "py": (120, ""), "md": (120, r"[^|]")}
KUNIT = re.compile(r"^#if IS_ENABLED\(CONFIG_IOPT_KUNIT_TEST\)\n(.*?)^#(?:else|endif)", re.M | re.S)
DECLARED = re.compile(r"^\w[\w *]*\b(\w+)[(;=\[]", re.M)


def lengths():
    """Check that no file of the engine is longer than LONGEST allows."""
    results = Results()
    for folder, most in LONGEST.items():
        counted = [(len(path.read_text().splitlines()), path)
                   for path in sorted((ROOT / ENGINE / folder).glob("*.[ch]"))]
        found = [f"{path.relative_to(ROOT)} has {lines}" for lines, path in counted if lines > most]
        results.check(f"no file of {ENGINE}/{folder}".rstrip("/") + f" has more than {most} lines", not found, found)
    return results


def files(kind):
    """Return the paths of the files of the repository with the suffix."""
    folders = [path for path in ROOT.iterdir() if path.is_dir() and path != BUILD]
    return sorted([*ROOT.glob(f"*.{kind}"), *(path for folder in folders for path in folder.rglob(f"*.{kind}"))])


def widths():
    """Check that no comment in C, no line of text and no line of Python is wider than WIDEST allows."""
    results = Results()
    for kind, (most, pattern) in WIDEST.items():
        found = [f"{path.relative_to(ROOT)}:{number} has {len(line)} columns"
                 for path in files(kind)
                 for number, line in enumerate(path.read_text().expandtabs().splitlines(), 1)
                 if len(line) > most and re.match(pattern, line)]
        what = "comment" if pattern == COMMENT else "line"
        results.check(f"no {what} of .{kind} files is wider than {most} columns", not found, found)
    return results


def only_for_tests(sources):
    """Return the names that are declared for KUnit only. Uses of them do not count as dependencies."""
    return {name for path in sources for part in KUNIT.findall(path.read_text()) for name in DECLARED.findall(part)}


def references(objects):
    """Return {object: {other object: {symbols of the latter that the former uses}}}; objects is {name: path}."""
    defined, used, found = {}, {}, defaultdict(lambda: defaultdict(set))
    for name, path in objects.items():
        symbols = [line.split()[:2] for line in output("nm", "--format=posix", path).splitlines()]
        defined.update((symbol, name) for symbol, kind in symbols if kind in "TDBRVWC")
        used[name] = [symbol for symbol, kind in symbols if kind == "U"]
    for name, symbols in used.items():
        for symbol in symbols:
            if symbol in defined:
                found[name][defined[symbol]].add(symbol)
    return found


def cycles(graph):
    """Return the strongly connected components of two nodes or more, each as a sorted tuple."""
    def reached(node):
        seen, todo = set(), [node]
        while todo:
            more = set(graph.get(todo.pop(), ())) - seen
            seen |= more
            todo += more
        return seen

    reach = {node: reached(node) for node in list(graph)}
    return sorted({tuple(sorted(other for other in reach[node] if node in reach.get(other, ())))
                   for node in reach if node in reach[node]})


def calls(out):
    """Check, in the objects of a build folder, that the references between the engine's files form no cycle."""
    results = Results()
    sources = sorted((ROOT / ENGINE).glob("*.c"))
    objects = {path.name: out / ENGINE / f"{path.stem}.o" for path in sources}
    missing = [f"{path} was not built" for path in objects.values() if not path.exists()]
    found = []
    if not missing:
        graph, tests = references(objects), only_for_tests(sorted((ROOT / ENGINE).glob("*.[ch]")))
        graph = {name: {other: kept for other, symbols in others.items() if (kept := symbols - tests)}
                 for name, others in graph.items()}
        for cycle in cycles(graph):
            found.append(f"cycle of {', '.join(cycle)}:")
            found += [f"  {name} uses {', '.join(sorted(graph[name][other]))} of {other}"
                      for name in cycle for other in cycle if other in graph[name]]
    results.check("no cycle of calls between the files of the engine", not (missing or found), missing or found)
    return results
