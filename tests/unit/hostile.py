"""Names with characters that HTML, LaTeX or Markdown would interpret, as data may hold them."""

NAMES = {
    "quotes": 'O\'Neil "the `best`" «guy»',
    "script": "<script>alert('x')</script> & <b>bold</b>",
    "latex": r"50% of $5 & #1 a_b^c {x} ~ \input{/etc/passwd} -- ``q''",
    "markdown": "# *a* _b_ `c` [d](e) ![f](g) | h ~~i~~ 1. j \\k :smile: @l",
    "list": "- item",
    "ordered": "1. first",
    "interval": "[0, 25)",
    "length": "[2mm] b",
    "starred": "* any",
    "chinese": "北京 上海",
    "emoji": "smile 😀",
    "long": "x" * 200,
}
