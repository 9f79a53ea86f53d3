# SPDX-License-Identifier: Apache-2.0
"""A terminal for tests: what a program shows on a screen of so many rows and columns."""
import codecs
import re
import unicodedata

SEQUENCE = re.compile(r"\033\[([0-9;?]*)([A-Za-z])")
BEGINNING = re.compile(r"\033(\[[0-9;?]*)?$")


class Screen:
    """Cells of (character, style) as the program has left them; style is what SGR said last.

    It knows what `aldis run --watch` writes: moving, clearing, styles, the other screen and the
    cursor. An unknown sequence is an error, and so is writing beyond the edge.
    """

    def __init__(self, rows, columns):
        self.decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self.rest = ""
        self.style = "0"
        self.other, self.cursor = False, True
        self.styles = set()  # ever used
        self.wide = False    # more than ASCII was written
        self.resize(rows, columns)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.at = [0, 0]
        self.clear()

    def clear(self):
        self.cells = [[(" ", "0")] * self.columns for _ in range(self.rows)]

    def feed(self, data):
        text = self.rest + self.decoder.decode(data)
        self.rest = ""
        place = 0
        while place < len(text):
            if text[place] == "\033":
                found = SEQUENCE.match(text, place)
                if not found:
                    self.rest = text[place:]  # the end comes later
                    if not BEGINNING.match(self.rest):
                        raise ValueError(f"unknown sequence: {self.rest[:10]!r}")
                    return
                self.control(*found.groups())
                place = found.end()
            else:
                self.write(text[place])
                place += 1

    def control(self, numbers, end):
        if end == "m":
            self.style = numbers or "0"
            self.styles.add(self.style)
        elif end == "H":
            row, column = (int(n or 1) for n in (numbers + ";").split(";")[:2])
            self.at = [row - 1, column - 1]
        elif end == "J" and numbers == "2":
            self.clear()
        elif end in "hl" and numbers == "?1049":
            self.other = end == "h"
        elif end in "hl" and numbers == "?25":
            self.cursor = end == "h"
        else:
            raise ValueError(f"unknown sequence: {numbers!r} {end!r}")

    def write(self, char):
        if char in "\r\n":
            self.at = [self.at[0] + (char == "\n"), 0]
            return
        if unicodedata.category(char).startswith("C"):
            raise ValueError(f"a control character: {char!r}")
        self.wide = self.wide or ord(char) > 126
        row, column = self.at
        if self.other:
            # A terminal that has just become smaller is still written to for its old size.
            if row < self.rows and column < self.columns:
                self.cells[row][column] = (char, self.style)
        self.at[1] += 2 if unicodedata.east_asian_width(char) in "WF" else 1

    def lines(self):
        return ["".join(char for char, _ in row).rstrip() for row in self.cells]

    def style_of(self, row, text):
        """The style of the first cell of text in that row."""
        line = "".join(char for char, _ in self.cells[row])
        return self.cells[row][line.index(text)][1]
