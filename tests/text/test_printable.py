"""Names and messages from outside cannot steer a terminal, break a line or show a password."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tal_search.text.printable import printable, printable_lines, shown_line


def test_control_characters_are_escaped_and_text_is_not() -> None:
    assert printable("é \x1b[31m\n\u202e") == "é \\x1b[31m\\n\\u202e"
    assert printable("\x9b31m\r\x07\u2066\u2028\udce9") == "\\x9b31m\\r\\x07\\u2066\\u2028\\udce9"
    assert printable_lines("a\tb\n\x1b]8;;http://x\x1b\\c\n") == "a\\tb\n\\x1b]8;;http://x\\x1b\\c\n"
    assert shown_line("no host at http://me:x@h\n") == "no host at http://me:***@h\\n"


@given(st.text())
def test_no_text_steers_a_terminal(text: str) -> None:
    kinds = {unicodedata.category(character) for character in printable(text)}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert printable(printable(text)) == printable(text)
