"""Figures say the same styles again and again; the page says each once."""

from __future__ import annotations

import re
from collections import Counter
from string import ascii_lowercase

_SVG = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
_STYLE = re.compile(r' style="([^"]*)"')
_BLANK = re.compile(r'<path d="[^"]*" style="fill:none" ?/>')          # neither filled nor drawn


def share_styles(page: str) -> str:
    """The page with the styles its figures repeat as classes, in the page's own style sheet.

    Only what stands within ``<svg>`` is touched, which the page's maker has written itself.
    """
    said = Counter(style for svg in _SVG.findall(page) for style in _STYLE.findall(svg))
    often = [style for style, times in said.most_common() if times > 2]
    names = dict(zip(often, (a + b for a in ascii_lowercase for b in ascii_lowercase), strict=False))

    def once(svg: re.Match[str]) -> str:
        return _STYLE.sub(lambda m: f' class="{names[m[1]]}"' if m[1] in names else m[0], _BLANK.sub("", svg[0]))

    css = "".join(f"svg .{name}{{{style}}}" for style, name in names.items())
    return _SVG.sub(once, page).replace("</style>", f"{css}</style>", 1)
