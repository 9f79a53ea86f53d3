# SPDX-License-Identifier: Apache-2.0
"""What the check scripts share: the files of the tree, C without its comments, and the report."""
import argparse
import os
import re
import subprocess
import sys

C_SUFFIXES = (".c", ".h")


class Tree:
    """The files of a source tree, and the faults that a check finds in it."""

    def __init__(self, root):
        self.root = root
        self.files = _list_files(root)
        self.faults = []
        self._text = {}

    def c_files(self, *folders):
        """The C files under the given folders, or all of them."""
        prefixes = tuple(folder.rstrip("/") + "/" for folder in folders)
        return [path for path in self.files
                if path.endswith(C_SUFFIXES) and (not prefixes or path.startswith(prefixes))]

    def text(self, path):
        """A file's text. Bytes that are not UTF-8 come out as replacement characters."""
        if path not in self._text:
            with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
                self._text[path] = file.read()
        return self._text[path]

    def code(self, path):
        """A C file's text, its comments and string contents blanked out; every line keeps its
        place, and every character its column."""
        return _blank(self.text(path))

    def fault(self, path, line, what):
        self.faults.append(f"{path}:{line}: {what}" if line else f"{path}: {what}")


def line_of(text, offset):
    """The number, from 1, of the line that holds text[offset]."""
    return text.count("\n", 0, offset) + 1


def check_main(check, doc, argv=None):
    """Run check(tree) on the tree given by --root, print its faults; the exit status."""
    parser = argparse.ArgumentParser(description=doc.strip().splitlines()[0])
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                        help="the tree to check (default: this one)")
    tree = Tree(parser.parse_args(argv).root)
    check(tree)
    for fault in sorted(set(tree.faults)):
        print(fault)
    if tree.faults:
        print(f"{os.path.basename(sys.argv[0])}: {len(set(tree.faults))} faults")
    return 1 if tree.faults else 0


def _list_files(root):
    """Paths relative to root: what git tracks or would track, or all files where there is no git."""
    git = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others",
                          "--exclude-standard"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         check=False)
    if git.returncode == 0 and os.path.exists(os.path.join(root, ".git")):
        names = git.stdout.decode().split("\0")
        return sorted(name for name in names if name and os.path.isfile(os.path.join(root, name)))
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders
                      if name not in (".git", "__pycache__") and not name.startswith("build")]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(found)


_COMMENT_OR_LITERAL = re.compile(
    r"//(?:[^\n\\]|\\.)*|/\*.*?\*/|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'", re.DOTALL)


def _blank(text):
    def spaces(match):
        found = match.group(0)
        if found[0] == '"' and _is_include(text, match.start()):
            return found
        return re.sub(r"[^\n]", " ", found)

    return _COMMENT_OR_LITERAL.sub(spaces, text)


def _is_include(text, offset):
    start = text.rfind("\n", 0, offset) + 1
    return re.match(r"\s*#\s*include\s*$", text[start:offset]) is not None
