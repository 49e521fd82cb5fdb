# SPDX-License-Identifier: GPL-2.0-only
"""Check the form of kernel-doc comments of functions, beyond what scripts/kernel-doc checks.

The first line must be `name() - verb phrase`. A function must have a `Return:` section unless it returns void. The
section must list errnos as items of the form `* %-ENOMEM - Text.`
"""
import re

from .paths import ROOT
from .results import Results

FILES = ("drivers/iommu/iopt/**/*.[ch]", "drivers/iommu/iommufd/*.[ch]", "drivers/vfio/type1*/*.[ch]",
         "include/**/*.h")
COMMENT = re.compile(r"^/\*\*\n((?: \*(?: .*|)\n)*) \*/\n", re.M)
NO_FUNCTION = re.compile(r"(struct|union|enum|typedef|DOC:) ?")
MACRO = re.compile(r"#\s*define (\w+)(\(?)")
FUNCTION = re.compile(r"((?:[\w*]+\s+\**|\*+)+)(\w+)\(")
VOID = re.compile(r"(?:(?:static|inline|extern|__\w+)\s+)*void\s+$")
TITLE = re.compile(r"(\w+)\(\) - ([a-z]+)(?: \S|$)")
# Words that start a description which is not a verb phrase.
NO_VERBS = {"a", "an", "the", "this", "whether", "helper", "function", "returns", "used", "called", "for", "to"}
RETURN = re.compile(r"^Return:(.*(?:\n(?!Context:|Note:|Locking:).+)*)", re.M)
ERRNO = re.compile(r"%?-?E[A-Z][A-Z0-9]+\b")
ITEM = re.compile(r"%-E[A-Z0-9]+ - [A-Z0-9@%&].*\.", re.S)
# An errno that is explained outside of a list item.
LOOSE = re.compile(r"^ *(?:- )?%?-E[A-Z0-9]+ *(?: -|:) ", re.M)


def items(section):
    """Return the items of the list in a section, each as one line."""
    found, inside = [], False
    for line in section.splitlines():
        if line.startswith("* "):
            found.append(line[2:])
            inside = True
        elif inside and line.startswith("  "):
            found[-1] += " " + line.strip()
        else:
            inside = False
    return found


def judge(text, after):
    """Yield the problems of a comment. `text` is its text without asterisks, `after` the source that follows it."""
    if NO_FUNCTION.match(text):
        return
    macro, function = MACRO.match(after), FUNCTION.match(after)
    if macro and not macro.group(2) or not (macro or function):
        return
    name = macro.group(1) if macro else function.group(2)
    first = text.partition("\n")[0]
    title = TITLE.match(first)
    if not title or title.group(1) != name or title.group(2) in NO_VERBS or first.endswith("."):
        yield f"`{first}` is not of the form `{name}() - verb phrase`"
    section = RETURN.search(text)
    if function and not macro:
        void = bool(VOID.match(function.group(1)))
        if bool(section) == void:
            yield f"{name}() {'returns void, but has' if void else 'returns a value, but has no'} `Return:`"
    if section:
        body = section.group(1)
        wrong = [item for item in items(body) if ERRNO.match(item) and not ITEM.fullmatch(item)]
        for item in wrong + LOOSE.findall(body):
            yield f"{name}() returns `{item.strip()}`, which is not of the form `* %-ERRNO - Text.`"


def check_file(path):
    """Return the problems of the comments in a file, each with its line."""
    text = path.read_text()
    found = []
    for comment in COMMENT.finditer(text):
        body = re.sub(r"^ \* ?", "", comment.group(1), flags=re.M)
        line = text.count("\n", 0, comment.start()) + 1
        found += [f"{path.relative_to(ROOT)}:{line}: {wrong}" for wrong in judge(body, text[comment.end():])]
    return found


def kerneldoc():
    results = Results()
    for path in sorted(path for glob in FILES for path in ROOT.glob(glob)):
        found = check_file(path)
        results.check(f"form of kernel-doc: {path.relative_to(ROOT)}", not found, found)
    return results
