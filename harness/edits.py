# SPDX-License-Identifier: GPL-2.0-only
"""Edits of files that are the kernel's: anchored insertions, semantic patches, Makefiles that grow.

Each takes text and gives text. An edit that no longer matches is a Failure that names itself and the file.
"""
import fnmatch
import re
import subprocess
import tempfile
from pathlib import Path

from .shell import Failure


# ---- anchored insertions -------------------------------------------------------------------------

class Insertion:
    """Lines that go after or before the one line of a file that equals the anchor."""

    def __init__(self, where, path):
        self.where, self.path = where, path
        self.within = self.side = self.anchor = None
        self.lines = []

    def fail(self, what):
        raise Failure(f"{self.where}: {self.path}: {what}")

    def apply(self, text):
        if self.anchor is None or not self.lines:
            self.fail("an insertion needs an `after:` or `before:` and lines that start with `+ `")
        lines = text.splitlines()
        first = 0
        if self.within is not None:
            first = self._only(lines, self.within, 0) + 1
            at = next((n for n in range(first, len(lines)) if lines[n].strip() == self.anchor), None)
            if at is None:
                self.fail(f"no line `{self.anchor}` below `{self.within}`")
        else:
            at = self._only(lines, self.anchor, 0)
        at += self.side == "after"
        return "\n".join(lines[:at] + self.lines + lines[at:]) + "\n"

    def _only(self, lines, wanted, first):
        found = [n for n in range(first, len(lines)) if lines[n].strip() == wanted]
        if len(found) != 1:
            self.fail(f"{len(found)} lines equal the anchor `{wanted}`, there must be one")
        return found[0]


def parse_insertions(where, text):
    """The insertions of one `insert` file, in order."""
    found, path, current = [], None, None
    for number, line in enumerate(text.splitlines(), 1):
        key, _, rest = line.partition(":")
        if line.startswith("@@ "):
            path, current = line[3:].strip(), None
        elif path and key in ("within", "after", "before"):
            if current is None or current.lines:
                current = Insertion(where, path)
                found.append(current)
            if key == "within":
                current.within = rest.strip()
            else:
                current.side, current.anchor = key, rest.strip()
        elif current and (line.startswith("+ ") or line == "+"):
            current.lines.append(line[2:])
        elif line.strip() and not line.startswith("#"):
            raise Failure(f"{where}: line {number} is not understood: {line}")
    return found


# ---- semantic patches ----------------------------------------------------------------------------

class SemanticPatch:
    """A Coccinelle script whose `// files:` lines say what it must change.

    Each file that is named without a wildcard must change, and of each glob at least one file. With a line
    `// optional-per-file` it is enough that one file of all changes.
    """

    def __init__(self, where, script):
        self.where, self.script = where, script
        text = script.read_text()
        self.patterns = [word for rest in re.findall(r"^// files:(.*)$", text, re.M) for word in rest.split()]
        self.relaxed = bool(re.search(r"^// optional-per-file\s*$", text, re.M))
        if not self.patterns:
            raise Failure(f"{where}: no `// files:` line says what it edits")

    def apply(self, tree):
        """Run over the tree's files and return {path: new text} of those that changed."""
        changed = {}
        for pattern in self.patterns:
            glob = any(c in pattern for c in "*?[")
            paths = sorted(p for p in tree.paths if fnmatch.fnmatchcase(p, pattern)) if glob else [pattern]
            hits = 0
            for path in paths:
                old = tree.read(path)
                if old is None:
                    raise Failure(f"{self.where}: {path}: no such file in the tree at this patch")
                new = self._spatch(path, old)
                if new != old:
                    changed[path] = new
                    hits += 1
            if not hits and not self.relaxed:
                raise Failure(f"{self.where}: {pattern}: nothing in it matched")
        if not changed:
            raise Failure(f"{self.where}: nothing matched in any of its files")
        return changed

    def _spatch(self, path, text):
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / path
            file.parent.mkdir(parents=True)
            file.write_text(text)
            done = subprocess.run(["spatch", "--very-quiet", "--no-includes", "--no-show-diff", "--in-place",
                                   "--sp-file", self.script, path], cwd=scratch, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if done.returncode:
                raise Failure(f"{self.where}: {path}: spatch failed:\n{done.stdout.strip()}")
            return file.read_text()


# ---- Makefiles of ours ---------------------------------------------------------------------------

OBJECT = re.compile(r"^\s*([\w-]+?)-(?:\$\([^)]*\)|y|m|objs)\s*[:+]?=\s*(.*?)\s*$")


def grow_makefile(where, text, directory, exists):
    """The Makefile with only those object lines whose source exists(path) at this commit.

    A composite object, `obj-... += x.o` with `x-y += part.o`, is there when one of its parts is.
    """
    def value(line):
        match = OBJECT.match(line)
        words = match.group(2).split() if match else []
        if not words or not all(w.endswith((".o", "/")) for w in words):
            return None
        if len(words) > 1:
            raise Failure(f"{where}: one object a line, not `{line.strip()}`")
        return match.group(1), words[0]

    def there(word):
        if word.endswith("/"):
            return exists(f"{directory}/{word}")
        stem = f"{directory}/{word[:-2]}"
        return exists(f"{stem}.c") or exists(f"{stem}.S")

    lines = text.splitlines()
    values = [value(line) for line in lines]
    composites = {v[0] for v in values if v}
    alive = {v[0] for v in values if v and there(v[1])}

    def kept(v):
        if v is None:
            return True
        name = v[1].removesuffix(".o")
        return name in alive if name in composites else there(v[1])

    return "\n".join(line for line, v in zip(lines, values) if kept(v)) + "\n"
