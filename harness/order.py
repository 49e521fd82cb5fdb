# SPDX-License-Identifier: GPL-2.0-only
"""Check that no patch uses a function, a macro or a file of ours that only a later patch adds.

Compiling each commit (make bisect) shows this for certain, but takes hours. These checks read the text of the files at
each patch. They know our functions and macros, but not types, struct members or the files of the kernel.
They also find most static functions that only a later patch uses, and lines of a Kconfig file that, at some patch,
belong to no statement.
"""
import collections
import functools
import os
import re

from . import series
from .results import Results

INCLUDE = re.compile(r'^#\s*include "([^"]+)"', re.M)
# Comments, strings and character constants
NO_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
# Declarations and definitions begin at the first column; calls are indented.
FUNCTION = re.compile(r"^(?:[a-z][\w *]*[ *])?(\w+)\(", re.M)
STATIC = re.compile(r"^static (?!inline)(?:__\w+\(.*\)+ )?[\w *]*?[ *]((?!__)\w+)\([^;{}]*\)\s*\{", re.M)
MACRO = re.compile(r"^#\s*define\s+(\w+)", re.M)
USE = re.compile(r"(?<![\w.>])(\w+)(?=\s*\()")
# First words of the lines of a Kconfig file, except for help texts
KCONFIG = ("bool", "choice", "comment", "config", "def_bool", "def_tristate", "default", "depends", "endchoice",
           "endif", "endmenu", "help", "hex", "if", "imply", "int", "menu", "menuconfig", "prompt", "range", "select",
           "source", "string", "tristate", "visible", "#")


def texts():
    """Yield (number, patch, {path: text}) for each patch of the series, with the files of ours that it changes."""
    for number, patch in enumerate(series.patches(series.topics())):
        yield number, patch, {path: patch.text(path) for path in dict.fromkeys([*patch.files, *patch.grown])}


def includes(every):
    """Return errors for files that include a file which only a later patch adds."""
    added = {path: number for number, patch, _ in every for path in patch.files}
    return [f"{patch.name}: {path} includes {other} of a later patch"
            for number, patch, changed in every for path, text in changed.items() if path.endswith((".c", ".h"))
            for name in INCLUDE.findall(text)
            if added.get(other := os.path.normpath(f"{os.path.dirname(path)}/{name}"), number) > number]


@functools.cache
def code_of(text):
    return NO_CODE.sub(" ", text)


def declared(code):
    return {*FUNCTION.findall(code), *MACRO.findall(code)}


def in_kernel(path):
    """Return whether a file is kernel code. Kernel code and programs share none of our headers except the uAPI ones."""
    return not path.startswith(("tools/", "samples/iommufd/", "samples/vfio/"))


def uses(every):
    """Return errors for functions and macros that are used before a patch declares them.

    A name that a header declares is searched for in all files. A name that only .c files declare is searched for in
    the .c files that declare it.
    """
    first, own = {}, {}
    for number, _, changed in every:
        for path, text in changed.items():
            if path.endswith((".c", ".h")):
                names = declared(code_of(text))
                if path.endswith(".h"):
                    for name in names:
                        first.setdefault((in_kernel(path), name), number)
                else:
                    own.setdefault(path, set()).update(names)
    wrong = []
    for number, patch, changed in every:
        for path, text in changed.items():
            if not path.endswith((".c", ".h")):
                continue
            code = code_of(text)
            here = declared(code)
            for name in sorted(set(USE.findall(code)) - here):
                key = in_kernel(path), name
                if first.get(key, number) > number or (name in own.get(path, ()) and key not in first):
                    wrong.append(f"{patch.name}: {path} uses {name}() of a later patch")
    return wrong


def unused(code):
    """Return the static functions that the code of a .c file defines, but does not use."""
    words = collections.Counter(re.findall(r"\w+", code))
    return [name for name in STATIC.findall(code) if words[name] == 1]


def stray(text):
    """Return the lines of a Kconfig file that belong neither to a statement nor to a help text."""
    wrong, indent, continued = [], None, False
    for line in text.expandtabs().splitlines():
        depth = len(line) - len(line.lstrip())
        if not line.strip() or continued:
            continued = line.endswith("\\")
            continue
        if indent == 0:
            indent = depth      # of the first line of a help text
        if indent and depth >= indent:
            continue
        word = line.split()[0]
        indent = 0 if word == "help" else None
        if word not in KCONFIG:
            wrong.append(line.strip())
        continued = line.endswith("\\")
    return wrong


def order():
    every, results = list(texts()), Results()
    results.check("no file includes a file of a later patch", not (found := includes(every)), found)
    results.check("no file uses a function or macro of a later patch", not (found := uses(every)), found)
    found = [f"{patch.name}: {path} does not use {name}()" for _, patch, changed in every
             for path, text in changed.items() if path.endswith(".c") for name in unused(code_of(text))]
    results.check("each static function is used at each patch", not found, found)
    found = [f"{patch.name}: {path}: {line}" for _, patch, changed in every for path, text in changed.items()
             if path.endswith("/Kconfig") for line in stray(text)]
    results.check("no Kconfig file has a stray line at any patch", not found, found)
    return results
