# SPDX-License-Identifier: GPL-2.0-only
"""Edit files of the base kernel with anchored insertions and semantic patches.

grow() reduces our Makefiles and .gitignore files to the lines for the sources that are in the tree at a patch.
An edit that no longer matches raises a Failure, which names the edit and the file.
"""
import difflib
import fnmatch
import os
import re
import subprocess
import tempfile
from pathlib import Path

from .shell import Failure


# ---- anchored insertions -------------------------------------------------------------------------

class Insertion:
    """Lines to insert after or before an anchor, the only line of the file that equals a given text.

    With `within:`, the anchor is the first such line below the only line that equals the text of `within:`. With
    `delete:`, the anchor is deleted and, if `to:` is given, all lines below it, up to and including the next one that
    equals the text of `to:`. Without `within:`, each `or:` gives another anchor, for base kernels that do not have the
    line of the first anchor.
    """

    def __init__(self, where, path):
        self.where, self.path = where, path
        self.within = self.side = self.anchor = self.to = None
        self.lines, self.others = [], []

    def fail(self, what):
        raise Failure(f"{self.where}: {self.path}: {what}")

    def apply(self, text):
        if self.anchor is None or bool(self.lines) == (self.side == "delete"):
            self.fail("an insertion needs `after:` or `before:`, and lines that start with `+ ` or `file:`. `delete:` "
                      "must not have such lines: insert them in a second `@@` part.")
        lines = text.splitlines()
        first = 0
        if self.within is not None:
            first = self._only(lines, self.within, 0) + 1
            at = self._next(lines, self.anchor, first)
        else:
            at = self._only(lines, self._present(lines), 0)
        if self.side == "delete":
            end = at if self.to is None else self._next(lines, self.to, at)
            return "\n".join(lines[:at] + lines[end + 1:]) + "\n"
        at += self.side == "after"
        return "\n".join(lines[:at] + self.lines + lines[at:]) + "\n"

    def _present(self, lines):
        stripped = {line.strip() for line in lines}
        return next((anchor for anchor in [self.anchor, *self.others] if anchor in stripped), self.anchor)

    def _next(self, lines, wanted, first):
        at = next((n for n in range(first, len(lines)) if lines[n].strip() == wanted), None)
        if at is None:
            self.fail(f"no line `{wanted}` below line {first}")
        return at

    def _only(self, lines, wanted, first):
        found = [n for n in range(first, len(lines)) if lines[n].strip() == wanted]
        if len(found) != 1:
            self.fail(f"{len(found)} lines equal the anchor `{wanted}`, exactly one must")
        return found[0]


# Maximum number of lines of C in an insertion; longer ones are kept in fragment files. Blank lines and the lines of a
# comment that start with * are not counted.
INLINE_MAX = 6


def parse_insertions(where, text, fragments):
    """Return the insertions of an `insert` file, in order, and the names of the fragment files that they use.

    fragments is {name: text} of the fragment files beside the `insert` file.
    """
    found, used, path, current, inline = [], set(), None, None, 0
    for number, line in enumerate(text.splitlines(), 1):
        at = f"{where}:{number}"
        key, _, rest = line.partition(":")
        if line.startswith("@@ "):
            path, current = line[3:].strip(), None
        elif path and key in ("within", "after", "before", "delete"):
            if current is None or current.lines or current.side == "delete":
                current, inline = Insertion(at, path), 0
                found.append(current)
            if key == "within":
                current.within = rest.strip()
            else:
                current.side, current.anchor = key, rest.strip()
        elif current and key == "or" and not current.lines:
            current.others.append(rest.strip())
        elif current and key == "to":
            current.to = rest.strip()
        elif current and key == "file":
            name = rest.strip()
            if not fragments.get(name):
                raise Failure(f"{at}: the fragment file `{name}` is {'empty' if name in fragments else 'missing'}")
            used.add(name)
            current.lines += fragments[name].splitlines()
        elif current and (line.startswith("+ ") or line == "+"):
            current.lines.append(line[2:])
            inline += line[1:].strip() != "" and not line[1:].lstrip().startswith("*")
            if inline > INLINE_MAX and path.endswith((".c", ".h")):
                raise Failure(f"{at}: more than {INLINE_MAX} lines of C: move them to a fragment file (series/README)")
        elif line.strip() and not line.startswith("#"):
            raise Failure(f"{at}: invalid line: {line}")
    return found, used


# ---- semantic patches ----------------------------------------------------------------------------

HEADER = re.compile(r"^@(.*)@$")
TOKEN = re.compile(r"\w+|\S")


def rules_of(text):
    """Return [(metavariables, body)] for the rules of a semantic patch that add or remove lines."""
    found, lines = [], iter(text.splitlines())
    names = body = None
    for line in lines:
        if not HEADER.match(line):
            if body is not None:
                body.append(line)
            continue
        names, body = set(), []
        if ":" not in line:
            for declared in lines:
                if declared.startswith("@@"):
                    break
                names.update(re.findall(r"\w+", declared))
            found.append((names, body))
    return [(names, body) for names, body in found if any(line[:1] in "+-" for line in body if line)]


def differences(old, new, sign):
    """Return the tokens of all added (+) or removed (-) lines as one string, without white space."""
    lines = [line[1:] for line in difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
             if line.startswith(sign) and not line.startswith(sign * 3)]
    return "".join(TOKEN.findall("\n".join(lines)))


class Rule:
    """The traces that a rule leaves in the files that it changes, to detect a rule that no longer matches.

    Each line that the rule adds must be among the lines added to the files. If the rule only removes lines, each of
    them must be among the lines removed. Lines that the rule both adds and removes are ignored.
    """

    def __init__(self, names, body):
        signs = [line for line in body if line[:1] in ("+", "-")]
        self.sign = "+" if any(line.startswith("+") and TOKEN.search(line[1:]) for line in signs) else "-"
        both = {line[1:].strip() for line in signs if line[0] != self.sign}
        self.lines = [line[1:].strip() for line in signs if line[0] == self.sign and TOKEN.search(line[1:])]
        self.lines = [line for line in self.lines if line not in both]
        self.traces = [re.compile("".join(".+" if token in names else re.escape(token)
                                          for token in TOKEN.findall(line.replace("...", " ELLIPSIS ")))
                                  .replace("ELLIPSIS", ".*")) for line in self.lines]

    def missing(self, changes):
        """Return a line of the rule that left no trace in the changes, or None."""
        texts = [differences(old, new, self.sign) for old, new in changes]
        return next((line for line, trace in zip(self.lines, self.traces)
                     if not any(trace.search(text) for text in texts)), None)


class SemanticPatch:
    """A Coccinelle script. Its `// files:` lines list the paths and globs of the files that it changes.

    Each path must change, and so must at least one file of each glob. With a line `// optional-per-file`, a change to
    any one of the files is sufficient. Each rule must match in at least one file.
    """

    def __init__(self, where, script):
        self.where, self.script = where, script
        text = script.read_text()
        self.patterns = [word for rest in re.findall(r"^// files:(.*)$", text, re.M) for word in rest.split()]
        self.rules = [Rule(*rule) for rule in rules_of(text)]
        self.relaxed = bool(re.search(r"^// optional-per-file\s*$", text, re.M))
        if not self.patterns:
            raise Failure(f"{where}: it needs a `// files:` line with the files to edit")

    def apply(self, tree):
        """Run the script on the files of the tree; return {path: new text} of those that changed."""
        changed, changes = {}, []
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
                    changes.append((old, new))
                    hits += 1
            if not hits and not self.relaxed:
                raise Failure(f"{self.where}: {pattern}: no rule matched")
        if not changed:
            raise Failure(f"{self.where}: no rule matched in any file")
        for rule in self.rules:
            if missing := rule.missing(changes):
                raise Failure(f"{self.where}: {' '.join(changed)}: a rule did not match: `{missing}` is missing")
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


# ---- our own Makefiles and .gitignore ------------------------------------------------------------

OBJECT = re.compile(r"^\s*([\w-]+?)-(?:\$\([^)]*\)|y|m|objs)\s*[:+]?=\s*(.*?)\s*$")
# Lists of kselftests: programs, objects, and sources of the library that all programs of a folder are linked with.
PROGRAM = re.compile(r"^TEST_GEN_(?:PROGS|FILES) \+= ([\w-]+)(?:\.o)?$")
LIBRARY = re.compile(r"^TESTBED_SOURCES \+= (\S+\.c)$")
RULE = re.compile(r"^[^\s#:=]+: (.*)$")
IGNORED = re.compile(r"^([\w-]+)(?:\.o)?$")
VARIABLE = re.compile(r"^(\w+) := (\S+)$", re.M)
# {variable that lib.mk of the kselftests defines: the folder that it names, in the tree}
KSELFTEST = {"top_srcdir": ".", "selfdir": "tools/testing/selftests"}


def grows(path):
    """Return whether several patches may list this file of ours, which then grows with the series."""
    return path.rpartition("/")[2] in ("Makefile", ".gitignore") or path.endswith(".mk")


def grow(where, text, path, exists):
    """Return a Makefile, *.mk or .gitignore without the lines for sources that are not in the tree yet.

    exists(path) returns whether a file, or a folder if the path ends with a slash, is in the tree.
    """
    directory, _, name = path.rpartition("/")
    lines = text.splitlines()
    if name == ".gitignore":
        kept = [not (match := IGNORED.match(line)) or exists(f"{directory}/{match.group(1)}.c") for line in lines]
    else:
        objects, tests = kept_objects(where, lines, directory, exists), kept_tests(where, text, directory, exists)
        kept = [keep and test for keep, test in zip(objects, tests)]
    return "\n".join(without_empty_parts(lines, kept)) + "\n"


def without_empty_parts(lines, kept):
    """Return the kept lines. A part between blank lines is left out if nothing but comments would remain of it."""
    found, part, first = [], [], True
    for line, keep in [*zip(lines, kept), ("", True)]:
        if line.strip():
            part.append((line, keep))
            continue
        remaining = [text for text, keep in part if keep]
        if first or len(remaining) == len(part) or any(not text.startswith("#") for text in remaining):
            found += [*remaining, ""]
        part, first = [], False
    while found and not found[-1]:
        found.pop()
    return found


def kept_tests(where, text, directory, exists):
    """Return whether to keep each line of a kselftest's Makefile, as a list of bools.

    The lines of PROGRAM and LIBRARY need a source. A rule needs all .c files that it names as prerequisites.
    """
    variables = {**KSELFTEST, **dict(VARIABLE.findall(text))}

    def expanded(name):
        match = re.match(r"\$\((\w+)\)", name)
        if not match:
            return name
        if match.group(1) not in variables:
            raise Failure(f"{where}: no line `{match.group(1)} := ...` defines the folder of {name}")
        return expanded(variables[match.group(1)]) + name[match.end():]

    def there(name):
        return exists(os.path.normpath(expanded(name) if name.startswith("$") else f"{directory}/{name}"))

    kept = []
    for line in text.splitlines():
        if match := PROGRAM.match(line):
            kept.append(there(f"{match.group(1)}.c"))
        elif match := LIBRARY.match(line):
            kept.append(there(match.group(1)))
        elif match := RULE.match(line):
            kept.append(all(there(word) for word in match.group(1).split() if re.fullmatch(r"[\w-]+\.c", word)))
        else:
            # The recipe of a rule is kept or left out like its first line.
            kept.append(kept[-1] if line.startswith("\t") and kept else True)
    return kept


def kept_objects(where, lines, directory, exists):
    """Return whether to keep each line of a kbuild Makefile, as a list of bools.

    The line of an object or a folder is kept if the source of the object or the folder exists. The line of a composite
    object, `obj-... += x.o` with `x-y += part.o`, is kept if at least one part exists. All other lines are kept.
    """
    def value(line):
        match = OBJECT.match(line)
        words = match.group(2).split() if match else []
        if not words or not all(w.endswith((".o", "/")) for w in words):
            return None
        if len(words) > 1:
            raise Failure(f"{where}: only one object per line is supported: `{line.strip()}`")
        return match.group(1), words[0]

    def there(word):
        if word.endswith("/"):
            return exists(f"{directory}/{word}")
        stem = f"{directory}/{word[:-2]}"
        return exists(f"{stem}.c") or exists(f"{stem}.S")

    values = [value(line) for line in lines]
    composites = {v[0] for v in values if v}
    alive = {v[0] for v in values if v and there(v[1])}

    def kept(v):
        if v is None:
            return True
        name = v[1].removesuffix(".o")
        return name in alive if name in composites else there(v[1])

    return [kept(v) for v in values]
