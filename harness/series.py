# SPDX-License-Identifier: GPL-2.0-only
"""Apply the patch series: each patch in series/ becomes a commit on top of the base in build/linux.

The folders N-topic/ of series/ are the topics, which can be merged one after the other. TOPIC= names the topic after
which the tree ends. N-topic/NNNN-slug/ is one patch and contains
  message   the commit message; a Signed-off-by is appended
  files     paths of our files that the patch adds, one per line
  parts     parts of our files that the patch adds to files of earlier patches
  programs  contract programs for bisect_type1.py
  remove    files of the kernel that the patch removes, one per line
  *.cocci   semantic patches, applied in the order of their names
  insert    anchored insertions
  others    C fragments that `insert` refers to
See parts.py for the parts, and edits.py for the format of the last three. Commits are cached by a hash over their own
input and that of all earlier commits. After an edit, only the commits from the edited patch on are created again, and
only files that differ are written to the work tree, which keeps rebuilds short.
"""
import functools
import hashlib
import json
import os
import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from . import base, edits, packages, parts
from .base import git, sender
from .paths import LINUX, ROOT, SERIES
from .shell import Failure, Progress, say

# Folders of the repository that contain files for the kernel tree. No other folder is part of the series.
AREAS = ("Documentation", "drivers", "include", "samples", "tools")
SENDER = "@SENDER@"     # in insertions, stands for the name and the address of sender()
COMMITS = LINUX / ".git" / "series-commits.json"      # in .git: removed along with the commits that it names
# The index in which commits are made, so that the work tree is not needed. It has the files of Tree.commit.
INDEX = {"GIT_INDEX_FILE": str(LINUX / ".git" / "series-index")}


@dataclass(frozen=True)
class Topic:
    """A folder N-topic/ of series/, which is sent as one mail series."""
    name: str
    folder: Path

    def cover(self):
        """Return the subject and the text of the cover letter."""
        try:
            subject, _, body = (self.folder / "cover").read_text().strip().partition("\n")
        except FileNotFoundError:
            raise Failure(f"series/{self.folder.name}/cover, the cover letter, is missing") from None
        return subject, body.strip()


def topics():
    """Return all topics in order."""
    if not SERIES.is_dir() or not any(SERIES.iterdir()):
        raise Failure(f"there are no patches in {SERIES}: the checkout is incomplete. Clone the repository again.")
    found = [Topic(path.name.partition("-")[2], path) for path in sorted(SERIES.iterdir()) if path.is_dir()]
    for topic in found:
        if not re.fullmatch(r"\d-[a-z]\w*", topic.folder.name):
            raise Failure(f"series/{topic.folder.name}: the name of a topic's folder must be `N-topic`")
    return found


def given():
    """Return the topics up to the one that TOPIC= names, or all topics."""
    every = topics()
    names = [topic.name for topic in every]
    # Accept the name of the folder as well.
    name = {topic.folder.name: topic.name for topic in every}.get(given := os.environ.get("TOPIC"), given)
    if not name:
        return every
    if name not in names:
        raise Failure(f"TOPIC={name}: there is no such topic. The topics are {', '.join(names)}.")
    return every[:names.index(name) + 1]


def includes(name):
    """Return whether the topic of that name is among those of given()."""
    return name in [topic.name for topic in given()]


class Patch:
    """One patch of a topic."""

    def __init__(self, topic, folder):
        self.topic = topic
        self.folder = folder
        self.name = folder.name
        self.where = f"series/{topic.folder.name}/{folder.name}"
        known = {"message", "files", "parts", "programs", "remove", "insert"}
        fragments = {entry.name: entry.read_text() for entry in sorted(folder.iterdir())
                     if entry.name not in known and entry.suffix != ".cocci"}
        try:
            self.message = self._with_semantic_patches((folder / "message").read_text().strip())
        except FileNotFoundError:
            raise Failure(f"{self.where}: the file `message` is missing") from None
        self.subject = self.message.splitlines()[0] if self.message else ""
        if not re.match(r"[\w/,. -]+: \S", self.subject):
            raise Failure(f"{self.where}: the first line of the message must be `subsystem: subject`")
        self.files = self._list(folder / "files")
        for path in self.files:
            if not (ROOT / path).is_file():
                raise Failure(f"{self.where}: files: {path} is not in the repository")
        listed = folder / "parts"
        self.parts = parts.parse(f"{self.where}/parts", listed.read_text()) if listed.exists() else []
        self.grown = sorted({part.path for part in self.parts})
        self.number = self.contents = None      # set by patches()
        self.removed = self._list(folder / "remove")
        self.cocci = [edits.SemanticPatch(f"{self.where}/{script.name}", script)
                      for script in sorted(folder.glob("*.cocci"))]
        insert = folder / "insert"
        text = insert.read_text() if insert.exists() else ""
        self.insertions, used = edits.parse_insertions(f"{self.where}/insert", text, fragments)
        for name in fragments:
            if name not in used:
                raise Failure(f"{self.where}/{name}: no `file:` line of the patch's `insert` names this file")
        if not (self.files or self.parts or self.removed or self.cocci or self.insertions):
            raise Failure(f"{self.where}: the patch changes nothing")

    def _with_semantic_patches(self, message):
        """Replace each line @NAME.cocci@ by that semantic patch, without spatch options and lines for the harness."""
        def show(match):
            try:
                text = (self.folder / match[1]).read_text()
            except FileNotFoundError:
                raise Failure(f"{self.where}: message: {match[1]} is missing") from None
            rules = [line for line in text.splitlines() if not re.match(r"#spatch|// (files:|optional-per-file)", line)]
            return "\n".join(["// <smpl>", *rules, "// </smpl>"])
        return re.sub(r"^@([\w-]+\.cocci)@$", show, message, flags=re.M)

    @staticmethod
    def _list(path):
        if not path.exists():
            return []
        lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
        return [line for line in lines if line]

    def key(self, before):
        """Return a hash over the input of this commit and the key of the commit before."""
        digest = hashlib.sha256(before.encode())
        inputs = [(path, path.read_bytes()) for path in sorted(self.folder.iterdir())]
        inputs += [(ROOT / path, self.text(path).encode()) for path in [*self.files, *self.grown]]
        for path, content in inputs:
            digest.update(f"{path.relative_to(ROOT)} {os.access(path, os.X_OK)} {len(content)}\n".encode())
            digest.update(content)
        return digest.hexdigest()

    def text(self, path, before=False):
        """Return the text of a file of ours at this patch or, if `before` is true, at the previous patch."""
        return self.contents.text(path, (ROOT / path).read_text(), self.number - before)


class Tree:
    """A commit of the kernel tree, and the changes that the next patch makes to it."""

    def __init__(self, commit):
        self.commit = commit
        self.modes = {}
        for entry in git("ls-tree", "-r", "-z", commit).split("\0"):
            if entry:
                meta, path = entry.split("\t", 1)
                self.modes[path] = meta.split()[0]
        self.paths = set(self.modes)
        self.directories = {parent for path in self.paths for parent in parents(path)}
        self.changes = {}
        git("read-tree", commit, env=INDEX)

    def read(self, path):
        if path in self.changes:
            return self.changes[path]
        return git("show", f"{self.commit}:{path}") if path in self.paths else None

    def exists(self, path):
        return path.rstrip("/") in self.directories if path.endswith("/") else path in self.paths

    def write(self, path, text, mode=None):
        self.changes[path] = text
        self.modes[path] = mode or self.modes.get(path, "100644")
        self.paths.add(path)
        self.directories.update(parents(path))

    def remove(self, path):
        self.changes[path] = None
        self.paths.discard(path)

    def record(self, message):
        """Commit the changes without using the work tree; return the commit, or None if nothing changed."""
        entries = ""
        for path, text in self.changes.items():
            if text is None:
                entries += f"0 {'0' * 40}\t{path}\n"
                continue
            blob = git("hash-object", "-w", "--stdin", data=text).strip()
            entries += f"{self.modes[path]} {blob}\t{path}\n"
        git("update-index", "--add", "--index-info", env=INDEX, data=entries)
        tree = git("write-tree", env=INDEX).strip()
        if tree == git("rev-parse", f"{self.commit}^{{tree}}").strip():
            return None
        self.commit = git("commit-tree", tree, "-p", self.commit, data=message).strip()
        self.changes = {}
        return self.commit


def parents(path):
    parts = path.split("/")[:-1]
    return ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]


def make_commit(tree, patch):
    growing = []
    for path in patch.files:
        file = ROOT / path
        mode = "100755" if os.access(file, os.X_OK) else "100644"
        if edits.grows(path):
            growing.append(path)
        elif path in tree.changes:
            raise Failure(f"{patch.where}: files: {path} is listed twice")
        tree.write(path, patch.text(path), mode)
    for path in patch.grown:
        if path in growing:
            continue
        if tree.read(path) != patch.text(path, before=True):
            raise Failure(f"{patch.where}: parts: {path} was edited by an earlier patch")
        tree.write(path, patch.text(path))
    for path in growing:
        tree.write(path, edits.grow(f"{patch.where}: {path}", patch.text(path), path, tree.exists))
    for path in patch.removed:
        if not tree.exists(path):
            raise Failure(f"{patch.where}: remove: {path} is not in the tree at this patch")
        tree.remove(path)
    for script in patch.cocci:
        for path, text in script.apply(tree).items():
            tree.write(path, text)
    address = "{} <{}>".format(*sender())
    for insertion in patch.insertions:
        old = tree.read(insertion.path)
        if old is None:
            insertion.fail("no such file in the tree at this patch")
        insertion.lines = [line.replace(SENDER, address) for line in insertion.lines]
        tree.write(insertion.path, insertion.apply(old))
    commit = tree.record(f"{patch.message}\n\nSigned-off-by: {address}\n")
    if not commit:
        raise Failure(f"{patch.where}: the patch changes nothing")
    return commit


def patches(of):
    """Return the patches of these topics, in order.

    A file may be added by one patch only, except that Makefiles, *.mk and .gitignore files may grow in several.
    Patch.text() leaves out the parts of all later patches, including those of topics that are not given.
    """
    found = [Patch(topic, folder) for topic in topics() for folder in sorted(topic.folder.iterdir())
             if folder.is_dir()]
    bringer = {}
    for number, patch in enumerate(found):
        for path in patch.files:
            if not edits.grows(path) and path in bringer:
                raise Failure(f"{patch.where}: files: {path} is added by {bringer[path]} already")
            bringer[path] = patch.where
        for part in patch.parts:
            if bringer.get(part.path, patch.where) == patch.where and not edits.grows(part.path):
                part.fail("no earlier patch lists this file in `files`")
        patch.number = number
    contents = parts.Parts([(part, number) for number, patch in enumerate(found) for part in patch.parts])
    for patch in found:
        patch.contents = contents
    return [patch for patch in found if patch.topic in of]


def unlisted():
    """Return those of our files that no patch adds."""
    listed = {path for patch in patches(topics()) for path in patch.files}
    ours = {str(file.relative_to(ROOT)) for area in AREAS for file in (ROOT / area).rglob("*") if file.is_file()}
    return sorted(path for path in ours - listed if not path.endswith((".pyc", ".swp", "~")))


def incomplete(made):
    """Return those of our files that grow with the series, but are incomplete at the last of [(patch, commit)]."""
    growing = {path for patch, _ in made for path in patch.files if edits.grows(path)}
    return sorted(path for path in growing if git("show", f"{made[-1][1]}:{path}") != (ROOT / path).read_text())


@functools.cache
def apply():
    """Apply the series up to TOPIC=, check out the last commit in build/linux and return [(patch, commit)].

    Later calls return the result of the first one.
    """
    base.fetch()
    packages.need(packages.SERIES)
    edited = git("diff", "--name-only", "HEAD").split()
    if edited:
        raise Failure(f"Files of {LINUX} were edited or are missing: {', '.join(edited[:3])}"
                      f"{f' and {len(edited) - 3} more' if len(edited) > 3 else ''}.\n"
                      f"This tree is generated. To discard the changes, run\n"
                      f"    git -C {LINUX} checkout .\nTo change the kernel, edit our files or those in series/.")
    start = git("rev-parse", "base").strip()
    tooling = b"".join((ROOT / "harness" / name).read_bytes() for name in ("edits.py", "parts.py", "series.py"))
    key = hashlib.sha256(start.encode() + repr(sender()).encode() + tooling).hexdigest()
    known = json.loads(COMMITS.read_text()) if COMMITS.exists() else {}
    made, head, tree = [], start, None
    progress = Progress("apply the series")
    todo = patches(given())
    for patch in todo:
        progress.tick(patch.name)
        key = patch.key(key)
        if key in known:
            head, tree = known[key], None
        else:
            tree = tree or Tree(head)
            try:
                head = known[key] = make_commit(tree, patch)
            except Failure as failure:
                if base.named():
                    raise Failure(f"{failure}\nThe series does not apply to KERNEL={base.named()}. {base.CHOICE} The "
                                  "tree must not contain this series.") from None
                raise
            COMMITS.write_text(json.dumps(known, indent=0))
        git("update-ref", f"refs/made/{head}", head)
        made.append((patch, head))
    if git("rev-parse", "HEAD").strip() != head:
        git("checkout", "-q", "-B", "series", head)
    progress.done(f"{len(todo)} patches")
    loose = unlisted()
    if loose:
        say(f"note: no patch adds {' '.join(loose[:6])}{' ...' if len(loose) > 6 else ''}")
    return made


def end_of(name):
    """Return the last commit of the topic of that name, or None if TOPIC= ends the tree before it."""
    return next((commit for topic, _, commit in ends(apply()) if topic.name == name), None)


def ends(made):
    """Return [(topic, its patches, its last commit)] of the [(patch, commit)] that apply() returns."""
    found = []
    for topic, group in groupby(made, key=lambda entry: entry[0].topic):
        part = list(group)
        found.append((topic, [patch for patch, _ in part], part[-1][1]))
    return found
