#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the guide quote its examples word by word, and does the check of that find what it should?

Each case plants one fault in a small clean tree and expects it to be named with chapter and line.
"""
import os
import shutil
import sys
import tempfile

from tap import SOURCE, case, check, check_equal, check_in, main, run, write

TOOL = os.path.join(SOURCE, "tools", "check_quotes.py")

EXAMPLE = """\
/* one.c */
struct ball {
    int hits;
};

static int twice(int hits)
{
    if (hits > 1) {
        return 0;
    }
    return 2 * hits;
}
"""
CHAPTER = """\
# One

<!-- quote: examples/one.c ^struct ball..}; -->
```c
struct ball {
    int hits;
};
```

<!-- quote: examples/one.c ^static int twice..^} -->
```c
static int twice(int hits)
{
    if (hits > 1) {
        return 0;
    }
    return 2 * hits;
}
```

It prints:

<!-- quote: examples/one.out -->
```text
2
4
```

and the line that does it is

<!-- quote: examples/one.c return 2 -->
```c
    return 2 * hits;
```
"""
CLEAN = {
    "examples/one.c": EXAMPLE,
    "examples/one.out": "2\n4\n",
    "examples/meson.build": "foreach name : ['one']\n",
    "docs/guide/one.md": CHAPTER,
    "docs/guide/README.md": "# The guide\n\n- [One](one.md): the first\n\n"
                            "````\n<!-- quote: examples/gone.c A..B -->\n```c\nint a;\n```\n````\n",
}


def in_tree(files, work):
    """work(root, run) in the clean tree with the given files; None leaves one out."""
    root = tempfile.mkdtemp(prefix="aldis-quotes-")
    try:
        for path, text in {**CLEAN, **files}.items():
            if text is not None:
                write(os.path.join(root, path), text)
        return work(root, lambda *words: run([sys.executable, TOOL, "--root", root, *words]))
    finally:
        shutil.rmtree(root)


def expect(files, *wanted):
    """The tree with the given files fails, and names exactly what is wanted."""
    status, output = in_tree(files, lambda root, tool: tool())
    check_equal(status, 1 if wanted else 0, f"exit status\n{output}")
    for text in wanted:
        check_in(text, output)
    check_equal(len(output.splitlines()), len(wanted) + 1 if wanted else 0, f"lines of output\n{output}")


def chapter(old, new):
    check(old in CHAPTER, f"{old!r} is in the chapter")
    return {"docs/guide/one.md": CHAPTER.replace(old, new)}


@case
def a_clean_tree_passes():
    expect({})


@case
def a_changed_word_is_found():
    expect(chapter("    int hits;", "    int hit;"),
           "docs/guide/one.md:6: examples/one.c says `    int hits;`, the block says `    int hit;`")


@case
def a_changed_blank_is_found():
    expect(chapter("    int hits;", "    int hits; "), "docs/guide/one.md:6: examples/one.c says")


@case
def a_changed_example_is_found_in_every_chapter_that_quotes_it():
    expect({"examples/one.c": EXAMPLE.replace("2 * hits", "2 + hits")},
           "docs/guide/one.md:17: examples/one.c says `    return 2 + hits;`",
           "docs/guide/one.md:33: examples/one.c says `    return 2 + hits;`")


@case
def a_missing_line_and_one_too_many_are_found():
    expect(chapter("    int hits;\n};\n", "    int hits;\n"),
           "docs/guide/one.md:7: examples/one.c says `};`, the block says `the end of the block`")
    expect(chapter("2\n4\n", "2\n4\n6\n"),
           "docs/guide/one.md:27: examples/one.out says `the end of the quote`, the block says `6`")


@case
def marks_that_are_nowhere_are_found():
    expect(chapter("^struct ball..", "^ball {.."),
           "docs/guide/one.md:3: no line of examples/one.c holds `^ball {`")
    expect(chapter("..}; -->", "..}} -->"),
           "docs/guide/one.md:3: no line of examples/one.c after its start holds `}}`")
    expect(chapter("^struct ball..}; -->", "^struct ball.. -->"),
           "docs/guide/one.md:3: `^struct ball..` is neither START nor START..END")


@case
def an_end_before_the_start_is_no_end():
    expect(chapter("^static int twice..^}", "^static int twice.. hits;"),
           "docs/guide/one.md:18: examples/one.c says `the end of the quote`, the block says `}`")


@case
def a_file_that_is_missing_or_not_built_is_found():
    expect(chapter("examples/one.out", "examples/two.out"),
           "docs/guide/one.md:23: there is no examples/two.out")
    expect({"examples/meson.build": "foreach name : ['two']\n"},
           *(f"docs/guide/one.md:{line}: examples/meson.build does not build examples/one."
             for line in (3, 10, 23, 31)))


@case
def a_quote_without_its_block_is_found():
    expect(chapter("return 2 -->\n", "return 2 -->\n\n"),
           "docs/guide/one.md:31: no fenced block follows directly",
           "docs/guide/one.md:33: C that is not a quote of an example")
    expect(chapter("return 2 -->", "return 2"),
           "docs/guide/one.md:31: not of the form")


@case
def a_chapter_that_quotes_nothing_or_shows_its_own_c_is_found():
    expect({"docs/guide/one.md": "# One\n\nWords.\n"}, "docs/guide/one.md: quotes no example")
    expect(chapter("It prints:", "```c\nint a;\n```"),
           "docs/guide/one.md:21: C that is not a quote of an example")
    expect(chapter("It prints:", "<!-- test: own -->\n```c\nint main(void) {}\n```\n\n```sh\nls\n```"))


@case
def other_pages_may_quote_and_are_checked():
    expect({"docs/design/a.md": "```c\nint a;\n```\n<!-- quote: examples/one.out -->\n```\n2\n```\n"},
           "docs/design/a.md:7: examples/one.out says `4`")


@case
def the_list_and_the_chapters_are_the_same():
    expect({"docs/guide/two.md": CHAPTER}, "docs/guide/README.md: does not list docs/guide/two.md")
    expect({"docs/guide/README.md": "- [One](one.md)\n- [Two](two.md)\n"},
           "docs/guide/README.md:2: there is no chapter two.md")
    expect({"docs/guide/README.md": "1. [One](one.md)\n2. [One](one.md)\n"},
           "docs/guide/README.md:2: lists one.md twice")
    expect({"docs/guide/README.md": None}, "docs/guide/README.md: is missing")


@case
def the_course_is_checked_as_the_guide_is():
    page = CHAPTER.replace("examples/one", "examples/course/one")
    course = {"docs/course/01-one.md": page, "docs/course/README.md": "1. [One](01-one.md)\n",
              "examples/course/one.c": EXAMPLE, "examples/course/one.out": "2\n4\n",
              "examples/course/meson.build": "course_steps = ['one']\n"}
    expect(course)
    expect({**course, "docs/course/README.md": None}, "docs/course/README.md: is missing")
    expect({**course, "docs/course/01-one.md": "# One\n"}, "docs/course/01-one.md: quotes no example")
    expect({**course, "docs/course/01-one.md": page.replace("    int hits;", "    int hit;")},
           "docs/course/01-one.md:6: examples/course/one.c says `    int hits;`")
    expect({**course, "examples/course/meson.build": None},
           *(f"docs/course/01-one.md:{line}: examples/course/meson.build does not build examples/course/one."
             for line in (3, 10, 23, 31)))


@case
def writing_fills_and_refreshes_the_blocks():
    def work(root, tool):
        status, output = tool("--write")
        check_equal((status, output), (0, "wrote docs/guide/one.md\n"), "the first time")
        with open(os.path.join(root, "docs/guide/one.md"), encoding="utf-8") as file:
            check_equal(file.read(), CHAPTER, "the chapter")
        check_equal(tool("--write"), (0, ""), "the second time")
        check_equal(tool(), (0, ""), "and the check")

    stale = CHAPTER.replace("int hits;\n};", "long hits;\n    int more;\n};")
    stale = stale.replace("```text\n2\n4\n```\n", "")
    in_tree({"docs/guide/one.md": stale}, work)


@case
def writing_names_what_it_cannot_fill_and_leaves_it():
    def work(root, tool):
        status, output = tool("--write")
        check_equal(status, 1, output)
        check_in("docs/guide/one.md:3: no line of examples/one.c holds `^ball {`", output)
        with open(os.path.join(root, "docs/guide/one.md"), encoding="utf-8") as file:
            check_equal(file.read(), wrong["docs/guide/one.md"], "the chapter")

    wrong = chapter("^struct ball..", "^ball {..")
    in_tree(wrong, work)


@case
def this_trees_guide_quotes_what_is_there():
    status, output = run([sys.executable, TOOL])
    check(status == 0, output)


if __name__ == "__main__":
    sys.exit(main())
