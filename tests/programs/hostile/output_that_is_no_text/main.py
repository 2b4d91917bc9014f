"""Bytes that are no UTF-8, colours, a title for the terminal, markup for the page."""

import sys

sys.stdout.buffer.write(bytes(range(256)) * 10)
sys.stdout.buffer.write(b"\x1b[31mred\x1b[0m \x1b]0;title\x07 <script>alert(1)</script> \xed\xa0\x80\n")
print("the end")
