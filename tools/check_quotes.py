#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that guide and course quote their examples word by word, and that their lists name every chapter.

The line `<!-- quote: FILE START..END -->` stands directly above a fenced block. The block has to be
the lines of FILE from the first that contains START to the first after it that contains END; `^`
before either asks for the beginning of a line. Without `..END` it is one line, without START the whole
file. Pages anywhere in docs/ may quote; a chapter of docs/guide/ or docs/course/ has to, and shows no C of
its own. docs/guide/README.md says how to write one.

With --write the blocks are filled from the files, and none is checked.
"""
import os
import re
import sys

from tree import check_main

GUIDES = ("docs/guide/", "docs/course/")
LIST = "README.md" # of each
QUOTE = re.compile(r"<!-- quote: (\S+)(?: (.+?))? -->\s*$")
# A program of its own, which tests/house/readme_test.py compiles and runs, needs no file.
RUN = re.compile(r"<!-- (?:test|output): \w+ -->\s*$")
FENCE = re.compile(r"(```+)(\w*)\s*$")
ITEM = re.compile(r"(?:[-*]|\d+\.) \[[^\]]+\]\(([^)#]+\.md)\)")
LANGUAGES = {".c": "c", ".h": "c", ".yaml": "yaml", ".py": "python", ".sh": "sh"}


class Wrong(Exception):
    """A quote that cannot be had; the text says why."""


def find(lines, mark, begin, path):
    """The number, from 0, of the first line at or after begin that holds the mark."""
    for number in range(begin, len(lines)):
        if lines[number].startswith(mark[1:]) if mark.startswith("^") else mark in lines[number]:
            return number
    raise Wrong(f"no line of {path} {'after its start ' if begin else ''}holds `{mark}`")


def quoted(tree, path, marks):
    """The lines of a file that a quote asks for."""
    if path not in tree.files:
        raise Wrong(f"there is no {path}")
    lines = tree.text(path).splitlines()
    if marks is None:
        return lines
    start, dots, end = marks.partition("..")
    if not start or (dots and not end):
        raise Wrong(f"`{marks}` is neither START nor START..END")
    first = find(lines, start, 0, path)
    last = find(lines, end, first + 1, path) if dots else first
    return lines[first:last + 1]


def block_after(lines, number):
    """The fenced block that begins at lines[number]: the number of its closing line, or None."""
    fence = FENCE.match(lines[number]) if number < len(lines) else None
    if not fence:
        return None
    for end in range(number + 1, len(lines)):
        if lines[end].rstrip() == fence.group(1):
            return end
    return None


def is_built(tree, path):
    """Is a quoted example one that the tests compile and run?"""
    name = re.fullmatch(r"(examples/(?:\w+/)*)(\w+)\.(?:c|out)", path)
    if not name:
        return True
    build = name.group(1) + "meson.build"
    return build in tree.files and f"'{name.group(2)}'" in tree.text(build)


def check_quote(tree, page, lines, number):
    path, marks = QUOTE.match(lines[number]).groups()
    wanted = quoted(tree, path, marks)
    if not is_built(tree, path):
        raise Wrong(f"{os.path.dirname(path)}/meson.build does not build {path}")
    end = block_after(lines, number + 1)
    if end is None:
        raise Wrong("no fenced block follows directly")
    found = lines[number + 2:end]
    for offset in range(max(len(found), len(wanted))):
        here = found[offset] if offset < len(found) else "the end of the block"
        there = wanted[offset] if offset < len(wanted) else "the end of the quote"
        if here != there or len(found) == offset or len(wanted) == offset:
            tree.fault(page, number + 3 + offset, f"{path} says `{there}`, the block says `{here}`")
            return


def check_page(tree, page):
    lines = tree.text(page).split("\n")
    quotes, number = 0, 0
    while number < len(lines):
        fence = FENCE.match(lines[number])
        if lines[number].startswith("<!-- quote:"):
            quotes += 1
            try:
                if not QUOTE.match(lines[number]):
                    raise Wrong("not of the form `<!-- quote: FILE START..END -->`")
                check_quote(tree, page, lines, number)
            except Wrong as why:
                tree.fault(page, number + 1, str(why))
        elif fence:
            above = lines[number - 1] if number else ""
            marked = above.startswith("<!-- quote:") or RUN.match(above)
            if fence.group(2) == "c" and page.startswith(GUIDES) and not marked:
                tree.fault(page, number + 1, "C that is not a quote of an example")
            number = block_after(lines, number) or len(lines)
        number += 1
    return quotes


def check_list(tree, guide, chapters):
    page_of_list = guide + LIST
    if page_of_list not in tree.files:
        tree.fault(page_of_list, 0, "is missing: it lists the chapters")
        return
    listed = []
    for number, line in enumerate(tree.text(page_of_list).splitlines(), 1):
        item = ITEM.match(line)
        if item and "/" not in item.group(1):
            if item.group(1) in listed:
                tree.fault(page_of_list, number, f"lists {item.group(1)} twice")
            if guide + item.group(1) not in chapters:
                tree.fault(page_of_list, number, f"there is no chapter {item.group(1)}")
            listed.append(item.group(1))
    for page in chapters:
        if page[len(guide):] not in listed:
            tree.fault(page_of_list, 0, f"does not list {page}")


def check(tree):
    pages = [page for page in tree.files if page.startswith("docs/") and page.endswith(".md")]
    quotes = {page: check_page(tree, page) for page in pages}
    for guide in GUIDES:
        chapters = [page for page in pages if page.startswith(guide) and page != guide + LIST]
        for page in chapters:
            if quotes[page] == 0:
                tree.fault(page, 0, "quotes no example")
        if chapters or guide + LIST in tree.files:
            check_list(tree, guide, chapters)


def write_page(tree, page):
    """The page with its blocks filled. A quote that cannot be had keeps its block."""
    lines = tree.text(page).split("\n")
    out, number = [], 0
    while number < len(lines):
        mark = QUOTE.match(lines[number])
        if not mark:
            # A block that shows what a quote looks like is no quote.
            end = block_after(lines, number) or number
            out += lines[number:end + 1]
            number = end + 1
            continue
        out.append(lines[number])
        number += 1
        try:
            wanted = quoted(tree, *mark.groups())
        except Wrong as why:
            tree.fault(page, number, str(why))
            continue
        end = block_after(lines, number)
        if end is None:
            suffix = os.path.splitext(mark.group(1))[1]
            out += ["```" + LANGUAGES.get(suffix, "text"), *wanted, "```"]
        else:
            out += [lines[number], *wanted, lines[end]]
            number = end + 1
    return "\n".join(out)


def write(tree):
    """Fill the blocks of all pages; what cannot be filled is a fault."""
    for page in tree.files:
        if page.startswith("docs/") and page.endswith(".md"):
            text = write_page(tree, page)
            if text != tree.text(page):
                with open(os.path.join(tree.root, page), "w", encoding="utf-8") as file:
                    file.write(text)
                print(f"wrote {page}")


if __name__ == "__main__":
    writing = "--write" in sys.argv[1:]
    sys.exit(check_main(write if writing else check, __doc__,
                        [word for word in sys.argv[1:] if word != "--write"]))
