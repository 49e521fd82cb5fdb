# SPDX-License-Identifier: GPL-2.0-only
"""Let a file of ours grow over several patches.

The repository contains only the final text of a file. The file `parts` of a patch names pieces of that text, which the
patch adds to a file that an earlier patch lists in `files`. To get the text of a file at a patch, each part of a later
patch is removed from the final text, or replaced by the lines that `parts` gives for it. series/README describes the
format.

A part can be inside a larger part of an earlier patch. Other parts must not overlap.
"""
import re
from dataclasses import dataclass, field

from .shell import Failure

SELECTORS = ("function", "type", "member", "lines")


@dataclass
class Part:
    """Lines that a patch adds to a file. Until that patch, the file has the lines of `before` in their place."""
    where: str
    path: str
    kind: str = ""
    name: str = ""
    to: str = ""
    within: str = ""
    before: list = field(default_factory=list)

    def fail(self, what):
        raise Failure(f"{self.where}: {self.path}: {what}")

    def ranges(self, lines):
        """Return the [(first, end)] of the part in the lines of the file, end exclusive."""
        return getattr(self, f"_{self.kind}")(lines)

    def _only(self, found, what):
        if len(found) != 1:
            self.fail(f"{len(found)} {what}, exactly one must")
        return found[0]

    def _lines(self, lines):
        first = 0
        if self.within:
            first = 1 + self._only([n for n, line in enumerate(lines) if line.strip() == self.within],
                                   f"lines equal `{self.within}`")
        found = [n for n in range(first, len(lines)) if lines[n].strip() == self.name]
        if self.within:
            found = found[:1]
        first = last = self._only(found, f"lines equal `{self.name}`")
        if self.to:
            last = next((n for n in range(first + 1, len(lines)) if lines[n].strip() == self.to), None)
            if last is None:
                self.fail(f"no line equals `{self.to}` below `{self.name}`")
        return [(first, last + 1)]

    def _function(self, lines):
        """Find the definition of a function with its comment and export, or else its only declaration."""
        starts = re.compile(rf"^[^\s#/*].*?(?<!\w){self.name}\(|^{self.name}\(")
        bodies, declarations = [], []
        for n in (n for n, line in enumerate(lines) if starts.match(line)):
            end = next((m for m in range(n, len(lines)) if lines[m] == "{" or lines[m].endswith(";")), None)
            if end is not None:
                (bodies if lines[end] == "{" else declarations).append((n, end))
        first, end = self._only(bodies or declarations, f"functions have the name `{self.name}`")
        # The return type may be on a line of its own.
        if re.match(r"[\w *]+$", lines[first - 1]):
            first -= 1
        if not bodies:
            return [(first, end + 1)]
        end = lines.index("}", end)
        while end + 1 < len(lines) and re.match(rf"EXPORT_SYMBOL\w*\({self.name}\b", lines[end + 1]):
            end += 1
        return [(self._comment(lines, first), end + 1)]

    @staticmethod
    def _comment(lines, at):
        """Return the index of the first line of the comment that ends just above line `at`, or `at` without one."""
        if not lines[at - 1].endswith("*/"):
            return at
        return max(n for n in range(at) if lines[n].startswith("/*"))

    def _type(self, lines):
        """Find the definition of a struct or enum with its comment."""
        head = self._only([n for n, line in enumerate(lines) if re.match(rf"(struct|enum) {self.name} \{{", line)],
                          f"types have the name `{self.name}`")
        return [(self._comment(lines, head), lines.index("};", head) + 1)]

    def _member(self, lines):
        """Find a member of a struct or enum, `name.member`, and its lines in the kernel-doc of the type."""
        name, _, member = self.name.partition(".")
        head = self._only([n for n, line in enumerate(lines) if re.match(rf"(struct|enum) {name} \{{", line)],
                          f"types have the name `{name}`")
        end = next(n for n in range(head, len(lines)) if lines[n].startswith("}"))
        pattern = re.compile(rf"\b{member}\b[^,(]*[;,]|\(\*{member}\)\(.*;")
        at = self._only([n for n in range(head, end) if pattern.search(lines[n])],
                        f"members have the name `{self.name}`")
        first = self._comment(lines, head)
        doc = self._only([n for n in range(first, head) if lines[n].startswith(f" * @{member}:")],
                         f"lines of kernel-doc describe `{self.name}`")
        after = next(n for n in range(doc + 1, head + 1) if not re.match(r" \*\s{2,}\S", lines[n]))
        return [(doc, after), (at, at + 1)]


def parse(where, text):
    """Return the parts that a file `parts` describes."""
    found, path, current = [], None, None
    for number, line in enumerate(text.splitlines(), 1):
        at = f"{where}:{number}"
        key, _, rest = line.partition(":")
        rest = rest.strip()
        if line.startswith("@@ "):
            path, current = line[3:].strip(), None
        elif path and (key == "within" or key in SELECTORS) and rest:
            if current is None or current.kind:
                current = Part(at, path)
                found.append(current)
            if key == "within":
                current.within = rest
            else:
                current.kind, current.name = key, rest
        elif current and key == "to" and current.kind == "lines" and rest:
            current.to = rest
        elif current and current.kind and (line.startswith("- ") or line == "-"):
            current.before.append(line[2:])
        elif line.strip() and not line.startswith("#"):
            raise Failure(f"{at}: invalid line: {line}")
    for part in found:
        if not part.kind:
            part.fail("`within:` needs a `lines:` after it")
    return found


class Parts:
    """The parts of all patches, given as [(part, number of its patch)]."""

    def __init__(self, parts):
        self.of = {}
        for part, number in parts:
            self.of.setdefault(part.path, []).append((part, number))
        self.placed = {}

    def _place(self, path, lines):
        """Return the sorted [(first, end, number, part)] of a file; fail if parts overlap."""
        if path not in self.placed:
            found = sorted(((first, end, number, part) for part, number in self.of.get(path, ())
                            for first, end in part.ranges(lines)), key=lambda entry: (entry[0], -entry[1], entry[2]))
            outer = []
            for first, end, number, part in found:
                while outer and outer[-1][0] <= first:
                    outer.pop()
                if outer and (end > outer[-1][0] or number <= outer[-1][1]):
                    part.fail(f"the part overlaps that of {outer[-1][2].where}")
                outer.append((end, number, part))
            self.placed[path] = found
        return self.placed[path]

    def text(self, path, text, number):
        """Return the text of a file after the patch with this number, given its final text."""
        if path not in self.of:
            return text
        lines = text.splitlines()
        out, at, seam = [], 0, False

        def emit(line):
            # Where a part is missing, do not leave a blank line next to another one or to a brace.
            nonlocal seam
            bare, last = line.strip(), out[-1].strip() if out else ""
            if seam and bare in ("", "*") and (last == bare or last.endswith("{")):
                return
            if seam and out and ((bare.startswith("}") and not last) or (bare == "*/" and last == "*")):
                out.pop()
            seam = seam and bare in ("", "*")
            out.append(line)

        for first, end, brought, part in self._place(path, lines):
            if brought <= number or first < at:
                continue
            for line in lines[at:first]:
                emit(line)
            if part.before and (first, end) == part.ranges(lines)[0]:
                for line in part.before:
                    emit(line)
            at, seam = end, True
        for line in lines[at:]:
            emit(line)
        while out and not out[-1].strip():
            out.pop()
        return "\n".join(out) + "\n"
